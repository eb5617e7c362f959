import json


def read_weights(path):
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def read_table(path):
    import numpy as np

    return np.load(path), np.load(path, allow_pickle=False, mmap_mode="r")


def read_settings(text):
    import yaml

    return yaml.safe_load(text) or yaml.load(text, Loader=yaml.SafeLoader)

class Processor:
    """Reads formats that hold values only."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [json.loads("1") for text in batch["data"]]
        return batch
