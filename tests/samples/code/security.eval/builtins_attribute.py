# expect: security.eval, security.insides
getattr(__builtins__, "ev" + "al")("1 + 1")
