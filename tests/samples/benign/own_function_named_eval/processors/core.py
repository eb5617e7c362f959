def eval(text):
    """Return a score; hides the built-in of that name on purpose."""
    return len(text)


def exec(text):
    return eval(text) + 1


def compile(texts):
    return [exec(text) for text in texts]

class Processor:
    """Scores texts with functions of its own."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [compile([str(text)])[0] for text in batch["data"]]
        return batch
