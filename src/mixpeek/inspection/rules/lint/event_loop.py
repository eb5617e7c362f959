"""`rows.event_loop`: an event loop is started for each row."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.base import Rule, Spot

_STARTS = frozenset({"asyncio.run", "asyncio.new_event_loop", "asyncio.Runner"})


def _check(module: Module) -> Iterator[Spot]:
    for call in module.row_code.calls:
        function = call.node.func
        runs = isinstance(function, ast.Attribute) and function.attr == "run_until_complete"
        if runs or not _STARTS.isdisjoint(module.functions_called.get(id(call.node), ())):
            yield call.place, "An event loop is run for each row"


RULE = Rule(
    name="rows.event_loop",
    severity=Severity.WARNING,
    summary="An event loop run for each row does one thing at a time, and is set up and torn down for each",
    hint="Run one loop for the batch and `asyncio.gather` the rows in it, or use `concurrent_api_calls`",
    why="Rows wait for each other, so that nothing is won by `async` at all. Measured: 256 rows that each wait 10"
    " ms take 126 times as long as with one `asyncio.gather`.",
    offending=(
        """import asyncio

class Processor:
    def __call__(self, batch):
        batch["answer"] = [asyncio.run(self._ask(text)) for text in batch["text"]]
        return batch
""",
        """import asyncio

class Processor:
    def __call__(self, batch):
        for index, text in enumerate(batch["text"]):
            batch.at[index, "answer"] = self._answer(text)
        return batch

    def _answer(self, text):
        loop = asyncio.new_event_loop()
        return loop.run_until_complete(self._ask(text))
""",
    ),
    harmless=(
        """import asyncio

class Processor:
    def __call__(self, batch):
        return batch.assign(answer=asyncio.run(self._ask_all(batch["text"].tolist())))

    async def _ask_all(self, texts):
        return await asyncio.gather(*[self._ask(text) for text in texts])
""",
    ),
    check=_check,
)
