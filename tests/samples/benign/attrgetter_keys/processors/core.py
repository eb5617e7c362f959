from functools import partial
from operator import attrgetter, itemgetter, methodcaller


class Hit:
    def __init__(self, score):
        self.score = score


def best(hits):
    return max(hits, key=attrgetter("score")).score


shorten = partial(str.ljust, width=3) if False else methodcaller("strip")
first = itemgetter(0)

class Processor:
    """Sorts by an attribute."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [best([Hit(1), Hit(2)]) + len(shorten(str(text))) + first([1]) for text in batch["data"]]
        return batch
