# expect: security.monkeypatch
import sys
import types

sys.modules["numpy"] = types.SimpleNamespace()
