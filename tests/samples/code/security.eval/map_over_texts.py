# expect: security.eval
values = list(map(eval, ["1", "2"]))
