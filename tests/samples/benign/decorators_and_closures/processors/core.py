import functools
import time


def timed(function):
    @functools.wraps(function)
    def inner(*arguments, **options):
        started = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            inner.seconds = time.perf_counter() - started

    return inner


@timed
def score(text):
    return len(text)

class Processor:
    """Measures its own functions."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [score(str(text)) for text in batch["data"]]
        return batch
