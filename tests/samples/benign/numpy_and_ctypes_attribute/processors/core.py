import numpy as np


def address(array):
    return array.ctypes.data, array.ctypes.shape


def fork(rng):
    return rng.spawn(2)

class Processor:
    """Reads the address of an array."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [address(np.zeros(2))[1][0] for text in batch["data"]]
        return batch
