# expect: security.module_as_value
import builtins
import types

names = types.SimpleNamespace(b=builtins)
names.b.eval("1 + 1")
