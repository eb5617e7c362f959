def count(text):
    compile = text.split()
    eval = len(compile)
    socket, pickle = eval, 2
    for exec in range(3):
        socket += exec
    return socket * pickle

class Processor:
    """Uses local names."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [count(str(text)) for text in batch["data"]]
        return batch
