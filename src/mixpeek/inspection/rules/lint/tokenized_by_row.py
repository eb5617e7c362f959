"""`SEQ003`: texts are tokenized one by one."""

from __future__ import annotations

from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.model_calls import is_tokenizing
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.base import Rule, Spot


def _check(module: Module) -> Iterator[Spot]:
    for call in module.row_code.calls:
        if call.takes_row and is_tokenizing(call.node):
            yield call.place, "Texts are tokenized one at a time"


RULE = Rule(
    name="SEQ003",
    severity=Severity.WARNING,
    summary="Texts tokenized one by one leave most of the tokenizer's speed unused",
    hint="Give the tokenizer the whole list: `tokenizer(texts, padding=True)`, or `encode_batch(texts)`",
    why="A tokenizer works through a list in native code; one by one, each text waits for Python. Measured with "
    "`tokenizers` on one thread: 256 texts one by one take 1.4 times as long.",
    offending=(
        """class Processor:
    def __call__(self, batch):
        tokens = [self.tokenizer(text) for text in batch["text"]]
        return batch.assign(tokens=tokens)
""",
        """class Processor:
    def __call__(self, batch):
        return batch.assign(tokens=batch["text"].map(lambda text: self._tokenizer.encode(text)))
""",
    ),
    harmless=(
        """class Processor:
    def __call__(self, batch):
        tokens = self.tokenizer(batch["text"].tolist(), padding=True)
        return batch.assign(tokens=list(tokens["input_ids"]))
""",
        """class Processor:
    def __call__(self, batch):
        return batch.assign(words=[text.split() for text in batch["text"]])
""",
    ),
    check=_check,
)
