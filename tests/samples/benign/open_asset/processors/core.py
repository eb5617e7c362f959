from shared.plugins import open_asset
from shared.plugins.sdk import parallel_io


def read(url):
    with open_asset(url) as file:
        return len(file.read())


def read_all(urls):
    return parallel_io(read, urls)

class Processor:
    """Reads inputs through the platform."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(str(text)) for text in batch["data"]]
        return batch
