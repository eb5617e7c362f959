FIELDS = ("score", "label")


class Row:
    score = 1
    label = "x"


def values(row, names=FIELDS):
    return [getattr(row, name) for name in names if hasattr(row, name)]

class Processor:
    """Reads attributes by name."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(values(Row())) for text in batch["data"]]
        return batch
