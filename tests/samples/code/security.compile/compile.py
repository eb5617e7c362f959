# expect: security.compile
program = compile("x = 1", "<text>", "exec")
