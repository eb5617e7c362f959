# expect: security.monkeypatch
import builtins

builtins.print = lambda *args: None
