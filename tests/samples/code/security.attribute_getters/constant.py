# expect: security.attribute_getters, security.module_as_value
import operator
import os

operator.attrgetter("system")(os)("id")
