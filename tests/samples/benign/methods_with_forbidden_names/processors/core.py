class Session:
    def exec(self, statement):
        return statement

    def eval(self, text):
        return len(text)

    def system(self, text):
        return self.eval(text)

    def popen(self, text):
        return self.system(text)

    def open(self, path):
        return path

    def compile(self):
        return self

class Processor:
    """Calls methods."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [Session().compile().popen(str(text)) for text in batch["data"]]
        return batch
