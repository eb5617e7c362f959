import json
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(FOLDER, "config.json")


def read_config():
    with open(CONFIG, "r", encoding="utf-8") as file:
        return json.load(file)


def read_bytes():
    with open(os.path.join(os.path.dirname(__file__), "config.json"), mode="rb") as file:
        return file.read()

class Processor:
    """Reads its configuration."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [read_config()["factor"] * len(str(text)) for text in batch["data"]]
        return batch
