import warnings


def set_up():
    import torch

    torch.backends.cudnn.benchmark = True
    torch.set_num_threads(1)


def configure():
    import pandas as pd

    pd.options.mode.copy_on_write = True


warnings.filterwarnings("ignore", module="nothing_of_this_name")

class Processor:
    """Sets options of libraries."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(str(text)) for text in batch["data"]]
        return batch
