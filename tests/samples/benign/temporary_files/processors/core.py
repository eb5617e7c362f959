import shutil
import tempfile
from pathlib import Path


def roundtrip(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text(text)
        return len(path.read_text()) + shutil.disk_usage(folder).free * 0

class Processor:
    """Writes to its scratch space."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [roundtrip(str(text)) for text in batch["data"]]
        return batch
