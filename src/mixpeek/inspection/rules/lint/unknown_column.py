"""`rows.unknown_column`: a processor reads a column that nothing fills."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import get_close_matches

from mixpeek.contract.columns import DATA, SYSTEM_COLUMNS
from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import column_read, walk_here_into
from mixpeek.inspection.rules.base import Rule, Spot

_FILLED = frozenset({DATA, *SYSTEM_COLUMNS})


def _check(module: Module) -> Iterator[Spot]:
    inputs = module.facts.inputs
    if inputs is None or module.path.startswith("tests/"):
        return
    for processor in module.row_code.processors:
        for node in walk_here_into(processor.call):
            column = column_read(node, {processor.frame})
            if column is None or not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
                continue
            if column in _FILLED or column in inputs or column in module.facts.made:
                continue
            close = get_close_matches(column, sorted(inputs | _FILLED), n=1)
            meant = f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(sorted(inputs))} and `data`"
            yield node, f"Nothing fills the column `{column}`: `input_schema` does not have it{meant}"


_MANIFEST = """from pydantic import BaseModel

class Input(BaseModel):
    text: str

metadata = {"feature_extractor_name": "lengths", "version": "1.0.0"}
input_schema = Input

class Processor:
    def __call__(self, batch):
        batch["length"] = batch["%s"].str.len()
        return batch
"""

RULE = Rule(
    name="rows.unknown_column",
    severity=Severity.WARNING,
    summary="A column that `input_schema` does not have is there only if a bucket has a property of that name",
    hint="Read a column of `input_schema`, or `data`, or add the column to `input_schema`",
    why="A batch has `data`, the system's columns, the property of its bucket and what `input_mappings` binds to the "
    "columns of `input_schema`; any other name is a KeyError for each of its rows.",
    offending=(_MANIFEST % "txt",),
    harmless=(
        _MANIFEST % "text",
        """class Processor:
    def __call__(self, batch):
        return batch.assign(length=batch["anything"].str.len())
""",
    ),
    sample_path="manifest.py",
    check=_check,
)
