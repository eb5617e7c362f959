# expect: security.eval
class Model:
    def eval(self):
        return self

    def predict(self, text):
        return eval(text)
