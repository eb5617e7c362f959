# expect: security.attribute_getters, security.module_as_value
from operator import methodcaller
import os

methodcaller("system", "id")(os)
