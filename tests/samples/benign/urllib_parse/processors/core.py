from http import HTTPStatus
from urllib.parse import quote, urlsplit

class Processor:
    """Splits addresses."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(urlsplit(quote(str(text))).path) + HTTPStatus.OK for text in batch["data"]]
        return batch
