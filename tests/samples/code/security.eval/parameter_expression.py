# expect: security.eval
class Processor:
    def __call__(self, batch):
        batch["score"] = eval(self.config.expression, {"row": batch})
        return batch
