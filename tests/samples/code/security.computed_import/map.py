# expect: security.computed_import
import importlib

modules = list(map(importlib.import_module, ["o" "s"]))
