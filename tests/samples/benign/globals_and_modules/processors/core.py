import sys

HERE = sys.modules[__name__]
NAMES = sorted(name for name in globals() if name.isupper())
HAS_TORCH = "torch" in sys.modules

class Processor:
    """Knows its own names."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(NAMES) for text in batch["data"]]
        return batch

    def report(self):
        return sys.version_info, sys.getsizeof(NAMES), sys.path[0], sys.stderr.write("done")
