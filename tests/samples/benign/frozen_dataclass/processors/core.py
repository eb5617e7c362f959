from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Setup:
    threshold: float = 0.5
    names: list = field(default_factory=list)

    def __post_init__(self):
        object.__setattr__(self, "threshold", float(self.threshold))

class Processor:
    """Configured by a frozen dataclass."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [replace(Setup(), threshold=1).threshold for text in batch["data"]]
        return batch
