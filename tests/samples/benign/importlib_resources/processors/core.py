from importlib import resources
from importlib.metadata import version

WORDS = resources.files(__package__).joinpath("words.txt").read_text().split()
NUMPY = version("numpy")


def first():
    with open(resources.files(__package__) / "words.txt") as file:
        return file.readline().strip()

class Processor:
    """Counts words of a list."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [sum(word in str(text) for word in WORDS) for text in batch["data"]]
        return batch
