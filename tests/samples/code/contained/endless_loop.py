# expect: none (the sandbox contains it)
class Processor:
    def __call__(self, batch):
        while True:
            batch = batch.copy()
