# expect: allow.no_reason, security.open
open("/etc/passwd")  # mixpeek: allow[security.open]
