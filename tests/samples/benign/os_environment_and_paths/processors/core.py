import os
import os.path as paths

CACHE = os.environ.get("HF_HOME", "/tmp")
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", "1")

class Processor:
    """Reads the environment."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(paths.join(CACHE, os.path.basename(str(text)))) for text in batch["data"]]
        return batch

    def describe(self):
        return getattr(os, "sep"), hasattr(os, "fork"), os.getpid(), os.cpu_count(), os.linesep
