import threading
from concurrent.futures import Future, as_completed

LOCK = threading.Lock()
LOCAL = threading.local()


def guarded(text):
    with LOCK:
        return len(text), threading.get_ident()

class Processor:
    """Guards what is shared."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [guarded(str(text))[0] for text in batch["data"]]
        return batch
