import gc
from concurrent.futures import ThreadPoolExecutor  # mixpeek: allow[security.threading] one reader beside the encoder


def read_model(path):
    # mixpeek: allow[security.open] the model's own file, at the path that its package says
    with open(path, "rb") as file:
        return file.read()


def shapes():
    # mixpeek: allow[security.frames, security.setattr] a memory report, asked for by the configuration
    return setattr(shapes, "seen", len(gc.get_objects()))

class Processor:
    """Says why it does what it does."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(str(text)) for text in batch["data"]]
        return batch
