import re

WORD = re.compile(r"\w+")
EVAL = re.compile("eval|exec|compile")

class Processor:
    """Counts words."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(WORD.findall(str(text))) for text in batch["data"]]
        return batch
