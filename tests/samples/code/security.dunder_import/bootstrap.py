# expect: security.dunder_import, security.loaders
import importlib

importlib._bootstrap._gcd_import("json")
