# expect: security.computed_import
import pydoc


def find(name):
    return pydoc.locate(name)
