# expect: security.eval
CONVERTERS = {"number": lambda text: eval(text), "text": str}
