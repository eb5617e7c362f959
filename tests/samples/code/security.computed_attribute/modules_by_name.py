# expect: security.computed_attribute
import sys


def module_of(name):
    return sys.modules[name]
