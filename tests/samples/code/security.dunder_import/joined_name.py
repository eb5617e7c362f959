# expect: security.dunder_import, security.os_system
name = "".join(("o", "s"))
getattr(__import__(name), "system")("id")
