# expect: security.open
texts = [file.read() for file in map(open, ["/etc/passwd"])]
