"""`rows.count_changed`: a processor returns fewer or more rows than it was given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import Processor, last_name, walk_here_into
from mixpeek.inspection.rules.base import Rule, Spot

_CHANGES = frozenset(
    {"dropna", "drop_duplicates", "explode", "head", "tail", "sample", "nlargest", "nsmallest", "query", "melt"}
)
_KEEPS = frozenset({"copy", "reset_index", "assign", "fillna", "rename", "sort_values"})


def _check(module: Module) -> Iterator[Spot]:
    if module.facts.explodes is not False:
        return
    for processor in module.row_code.processors:
        for node, words in _changes(processor):
            yield node, f"{words} changes how many rows the batch has"


def _changes(processor: Processor) -> Iterator[tuple[ast.AST, str]]:
    frame = processor.frame
    for node in walk_here_into(processor.call):
        is_rebound = isinstance(node, ast.Assign) and [last_name(one) for one in node.targets] == [frame]
        if isinstance(node, ast.Return) or (isinstance(node, ast.Assign) and is_rebound):
            value = node.value
            found = _changed(value, frame) if value is not None else None
            if found is not None:
                yield found, f"`{ast.unparse(found)[:80]}`"
        elif isinstance(node, ast.Call) and _drops_in_place(node, frame):
            yield node, f"`{ast.unparse(node)[:80]}`"


def _changed(node: ast.expr, frame: str) -> ast.expr | None:
    """Return the part of an expression that is the frame with other rows."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _CHANGES:
            return node if _is_frame(node.func.value, frame) else None
        if node.func.attr not in _KEEPS:
            return None
        node = node.func.value
    if isinstance(node, ast.Subscript) and _is_frame(node.value, frame):
        key = node.slice
        negated = isinstance(key, ast.UnaryOp) and isinstance(key.op, ast.Invert)
        masked = (
            isinstance(key, ast.Call)
            and isinstance(key.func, ast.Attribute)
            and key.func.attr
            in (
                "notna",
                "notnull",
                "isin",
                "astype",
                "between",
                "contains",
                "isna",
                "duplicated",
                "ne",
                "eq",
                "gt",
                "lt",
            )
        )
        if isinstance(key, ast.Compare | ast.Slice) or negated or masked:
            return node
    return None


def _is_frame(node: ast.expr, frame: str) -> bool:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _KEEPS:
        node = node.func.value
    return isinstance(node, ast.Name) and node.id == frame


def _drops_in_place(node: ast.Call, frame: str) -> bool:
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr in _CHANGES
        and _is_frame(node.func.value, frame)
        and any(
            keyword.arg == "inplace" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
            for keyword in node.keywords
        )
    )


RULE = Rule(
    name="rows.count_changed",
    severity=Severity.WARNING,
    summary="A processor returns one row for each it was given, unless the manifest says `explodes = True`",
    hint="Leave the row and give it None; where one row is to become several, declare `explodes = True` in manifest.py",
    why="A batch that comes back with another number of rows is refused, and all its rows are tried again one by one.",
    offending=(
        """class Processor:
    def __call__(self, batch):
        batch = batch.dropna(subset=["text"])
        batch["length"] = batch["text"].str.len()
        return batch
""",
        """class Processor:
    def __call__(self, batch):
        batch["length"] = batch["text"].str.len()
        return batch[batch["length"] > 0].reset_index(drop=True)
""",
    ),
    harmless=(
        """class Processor:
    def __call__(self, batch):
        present = batch[batch["text"].notna()]
        lengths = present["text"].str.len()
        return batch.assign(length=lengths.reindex(batch.index))
""",
        """class Processor:
    def __call__(self, batch):
        return batch[["document_id", "text"]].assign(length=batch["text"].str.len())
""",
    ),
    sample_beside={"manifest.py": 'metadata = {"feature_extractor_name": "lengths", "version": "1.0.0"}\n'},
    check=_check,
)
