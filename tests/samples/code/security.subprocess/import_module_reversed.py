# expect: security.subprocess
import importlib

NAME = "ssecorpbus"[::-1]


def tool():
    return importlib.import_module(NAME).run(["id"])
