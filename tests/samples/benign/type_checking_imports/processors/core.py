from __future__ import annotations

import typing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    import subprocess
    from ctypes import CDLL
    from multiprocessing import Pool
if typing.TYPE_CHECKING:
    import pickle


def describe(plug: object) -> str:
    return "types only"

class Processor:
    """Imports for types only."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(str(text)) for text in batch["data"]]
        return batch
