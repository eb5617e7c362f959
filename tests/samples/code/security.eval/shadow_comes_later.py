# expect: security.eval
value = eval("1 + 1")


def eval(text):
    return text
