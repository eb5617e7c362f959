"""Saved by an editor that marks UTF-8."""

class Processor:
    """Counts characters."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(str(text)) for text in batch["data"]]
        return batch
