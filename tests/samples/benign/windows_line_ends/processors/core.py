import math

class Processor:
    """Has Windows line ends."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [math.sqrt(len(str(text))) for text in batch["data"]]
        return batch
