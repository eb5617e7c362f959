# expect: security.dunder_import, security.os_system
__import__("os").system("id")
