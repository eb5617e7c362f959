"""Mentions os.system('ls'), eval("1"), subprocess and __import__('os') in words only.

>>> exec("not run")
"""
# import subprocess; os.system("id"); eval("1"); open("/etc/passwd")
FORBIDDEN = ["subprocess", "os.system", "eval(", "exec(", "socket", "ctypes", "__import__", "__globals__"]
QUESTION = f"Does {FORBIDDEN[0]} or 'pickle.loads(data)' appear?"

class Processor:
    """Counts forbidden words."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [sum(word in str(text) for word in FORBIDDEN) for text in batch["data"]]
        return batch
