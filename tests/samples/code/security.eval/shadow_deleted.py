# expect: security.eval
def eval(text):
    return text


del eval
eval("1 + 1")
