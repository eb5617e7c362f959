# expect: security.computed_import
from importlib import import_module


def load(backend):
    return import_module(f"backends.{backend}")
