import importlib
from importlib import import_module

json = importlib.import_module("json")
load = import_module
math = load("math")

class Processor:
    """Imports by constant names."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [math.floor(len(json.dumps(str(text)))) for text in batch["data"]]
        return batch
