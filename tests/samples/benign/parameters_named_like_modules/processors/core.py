def measure(os, subprocess, eval, open=None):
    return os.system(subprocess.run(eval(open)))


def spell(socket="plug", ctypes=3, exec=len):
    return exec(socket) + ctypes

class Processor:
    """Uses parameters that share names."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [spell(str(text)) for text in batch["data"]]
        return batch
