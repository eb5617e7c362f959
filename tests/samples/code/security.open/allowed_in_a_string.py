# expect: security.open
text = "# mixpeek: allow[security.open] this is no comment"; open("/etc/passwd")
