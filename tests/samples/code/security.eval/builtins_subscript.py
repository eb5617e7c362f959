# expect: security.eval, security.insides
run = __builtins__["eval"]
run("1 + 1")
