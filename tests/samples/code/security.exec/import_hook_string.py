# expect: security.exec
import importlib

importlib.import_module("builtins").exec("x = 1")
