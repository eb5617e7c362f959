# expect: allow.unknown_rule, security.open
open("/etc/passwd")  # mixpeek: allow[security.opn] the list of users
