# expect: security.module_as_value
import functools
import os

functools.reduce(getattr, ["system"], os)("id")
