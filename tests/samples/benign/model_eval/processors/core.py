"""A torch model set to evaluation; `eval` here is a method."""

class Processor:
    """Scores texts with a model."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [self._score(text) for text in batch["data"]]
        return batch

    def _load_model(self):
        if self._model is None:
            import torch

            self._model = torch.nn.Linear(4, 4)
            self._model.eval()
            self._model = torch.compile(self._model.eval())

    def _score(self, text):
        return float(len(str(text)))
