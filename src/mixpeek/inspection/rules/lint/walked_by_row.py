"""`SEQ002`: a model or a service is asked inside `iterrows`, `itertuples` or `apply(axis=1)`."""

from __future__ import annotations

from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.model_calls import asks_service, is_model_call
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import last_name
from mixpeek.inspection.rules.base import Rule, Spot


def _check(module: Module) -> Iterator[Spot]:
    for call in module.row_code.calls:
        if not call.loop.walk or not call.takes_row:
            continue
        if is_model_call(call.node) or asks_service(module, call.node):
            how = "apply(axis=1)" if call.loop.walk == "apply" else call.loop.walk
            yield call.place, f"`{last_name(call.node.func)}` is called for each row of `{how}`"


RULE = Rule(
    name="SEQ002",
    severity=Severity.WARNING,
    summary="`iterrows`, `itertuples` and `apply(axis=1)` with a call of a model or service make one call per row",
    hint="Take the column as a list, and call the model once for all of it, or the service through `parallel_io`",
    why="Each row costs a call of its own, and `iterrows` builds a Series for each as well.",
    offending=(
        """class Processor:
    def __call__(self, batch):
        for index, row in batch.iterrows():
            batch.at[index, "label"] = self.classifier.predict(row["text"])
        return batch
""",
        """import httpx

class Processor:
    def __call__(self, batch):
        batch["answer"] = batch.apply(lambda row: httpx.get(row["data"]).text, axis=1)
        return batch
""",
    ),
    harmless=(
        """class Processor:
    def __call__(self, batch):
        return batch.assign(label=self.classifier.predict(batch["text"].tolist()))
""",
        """class Processor:
    def __call__(self, batch):
        return batch.assign(length=[len(row.text) for row in batch.itertuples()])
""",
    ),
    check=_check,
)
