from typing import Annotated, Literal, Optional

from pydantic import BaseModel, Field


class Options(BaseModel):
    mode: Literal["eval", "exec", "open('x')"] = "eval"
    size: Annotated[int, Field(description="os.system('ls') is only a word here")] = 1
    other: Optional["Options"] = None

class Processor:
    """Has literal types."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [Options().size for text in batch["data"]]
        return batch
