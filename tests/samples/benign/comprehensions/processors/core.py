def table(texts):
    return {eval: len(eval) for eval in texts}, [open for open in range(3)], {exec for exec in "abc"}

class Processor:
    """Names loop variables as it likes."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(table([str(text)])[0]) for text in batch["data"]]
        return batch
