class socket:
    """A plug, not a connection."""

    def __init__(self, pins):
        self.pins = pins

    def connect(self):
        return self.pins


class subprocess:
    @staticmethod
    def run(text):
        return len(text)

class Processor:
    """Counts pins."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [subprocess.run(str(text)) + socket(3).connect() for text in batch["data"]]
        return batch
