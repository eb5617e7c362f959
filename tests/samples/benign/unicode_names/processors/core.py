größe = 3
λ = 0.5
名前 = "naïve café — “quoted”"
ﬁle = größe


def 数える(text):
    return len(text) * größe + file

class Processor:
    """Has names beyond ASCII."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [数える(str(text)) for text in batch["data"]]
        return batch
