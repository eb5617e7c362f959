# expect: security.eval
def score(text, parse=eval):
    return parse(text)
