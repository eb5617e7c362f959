# expect: security.eval
if False:
    def eval(text):
        return text

eval("1 + 1")
