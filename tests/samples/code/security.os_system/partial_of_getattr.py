# expect: security.os_system, security.module_as_value
import functools
import os

functools.partial(getattr, os)("environ")
functools.partial(getattr, os, "system")()("id")
