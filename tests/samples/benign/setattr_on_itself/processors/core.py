class Config:
    def __init__(self, **options):
        for name, value in options.items():
            setattr(self, name, value)

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)

    def forget(self, name):
        delattr(self, name)

    @classmethod
    def configure(cls, name, value):
        setattr(cls, name, value)
        return cls

class Processor:
    """Keeps options on itself."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [Config(size=2).size for text in batch["data"]]
        return batch
