# expect: allow.unused
x = 1  # mixpeek: allow[security.open] the list of users
