# expect: security.os_system
import functools
import os

functools.partial(os.system, "id")()
