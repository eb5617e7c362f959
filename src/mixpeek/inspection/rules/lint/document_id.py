"""`rows.document_id`: a processor takes away or overwrites what says which row is which."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import FrameFunction, column_read, walk_here_into
from mixpeek.inspection.rules.base import Rule, Spot

_ID = "document_id"


def _check(module: Module) -> Iterator[Spot]:
    if b"document_id" not in module.source:
        return
    for function in module.row_code.functions:
        for node in walk_here_into(function.node):
            words = _fault(node, function)
            if words:
                yield node, words


def _fault(node: ast.AST, function: FrameFunction) -> str | None:
    if column_read(node, function.frames) == _ID and not isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
        done = "overwritten" if isinstance(node.ctx, ast.Store) else "deleted"  # type: ignore[attr-defined]
        return f"`{_ID}` is {done}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        given = [*node.args, *(one.value for one in node.keywords if one.arg in ("columns", "labels"))]
        named = any(isinstance(part, ast.Constant) and part.value == _ID for one in given for part in ast.walk(one))
        if named and node.func.attr in ("drop", "pop") and node.func.value.id in function.frames:
            return f"`{_ID}` is dropped"
    return None


RULE = Rule(
    name="rows.document_id",
    severity=Severity.WARNING,
    summary="`document_id` says which row is which; a batch without it, or with other values, may be refused",
    hint="Leave `document_id` as it came, also on each row that an exploding processor makes of one",
    why="Rows are put back in order by it, and the parts of an exploded row know by it what they are parts of.",
    offending=(
        """class Processor:
    def __call__(self, batch):
        batch["document_id"] = [f"doc_{number}" for number in range(len(batch))]
        return batch
""",
        """class Processor:
    def __call__(self, batch):
        return batch.drop(columns=["document_id", "object_id"])
""",
    ),
    harmless=(
        """class Processor:
    def __call__(self, batch):
        ids = batch["document_id"].tolist()
        return batch.assign(note=[f"of {one}" for one in ids])
""",
    ),
    check=_check,
)
