from pathlib import Path

HERE = Path(__file__).resolve().parent
LABELS = (HERE / "labels.txt").read_text().split()
with open(HERE / "labels.txt", encoding="utf-8") as file:
    AGAIN = file.read().split()

class Processor:
    """Labels texts."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [LABELS[len(str(text)) % len(LABELS)] for text in batch["data"]]
        return batch
