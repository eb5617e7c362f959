# expect: security.dunder_import
import importlib

importlib.__import__("json")
