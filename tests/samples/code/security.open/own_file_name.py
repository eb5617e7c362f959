# expect: security.open
__file__ = "/etc/shadow"
open(__file__)
