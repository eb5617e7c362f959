"""`rows.first_only`: a processor looks at the first row of a batch and at no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import Processor, column_read, walk_here_into
from mixpeek.inspection.rules.base import Rule, Spot

# Parts of a frame that say nothing of its rows' contents.
_ABOUT = frozenset({"columns", "empty", "shape", "index", "dtypes", "copy", "assign", "reset_index", "size", "insert",
                    "at", "iat", "loc"})  # fmt: skip
_ONE = frozenset({"iloc", "values", "loc", "iat"})


def _check(module: Module) -> Iterator[Spot]:
    for processor in module.row_code.processors:
        first = _only_first(processor)
        if first is not None:
            yield first, "Only the first row of the batch is read; all others are lost"


def _only_first(processor: Processor) -> ast.AST | None:
    """Return the place that reads the first row, if the frame is read nowhere else."""
    frames = {processor.frame}
    for node in walk_here_into(processor.call):
        if isinstance(node, ast.Assign) and _is_copy(node.value, frames):
            frames |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    parents = {id(child): node for node in ast.walk(processor.call) for child in ast.iter_child_nodes(node)}
    first: ast.AST | None = None
    for node in ast.walk(processor.call):
        if not (isinstance(node, ast.Name) and node.id in frames and isinstance(node.ctx, ast.Load)):
            continue
        found = _first_row(node, parents)
        if found is not None:
            first = first or found
        elif not _says_nothing(node, parents):
            return None
    return first


def _is_copy(node: ast.expr, frames: set[str]) -> bool:
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("copy", "reset_index")
    ):
        node = node.func.value
    return isinstance(node, ast.Name) and node.id in frames


def _first_row(node: ast.Name, parents: dict[int, ast.AST]) -> ast.AST | None:
    """Return the subscript `batch.iloc[0]`, `batch["x"].iloc[0]`, `batch["x"].tolist()[0]` that a name stands in."""
    at: ast.AST = node
    seen_one = False
    for _ in range(6):
        up = parents.get(id(at))
        if isinstance(up, ast.Attribute) and up.value is at:
            seen_one = seen_one or up.attr in _ONE or up.attr in ("tolist", "to_list", "to_numpy")
        elif isinstance(up, ast.Subscript) and up.value is at:
            key = up.slice.elts[0] if isinstance(up.slice, ast.Tuple) and up.slice.elts else up.slice
            if isinstance(key, ast.Constant) and key.value == 0 and key.value is not False:
                return up if isinstance(up.ctx, ast.Load) and seen_one else None
        elif not (isinstance(up, ast.Call) and up.func is at):
            return None
        at = up
    return None


def _says_nothing(node: ast.Name, parents: dict[int, ast.AST]) -> bool:
    """Tell whether a use of the frame does not read what its rows hold."""
    up = parents.get(id(node))
    if isinstance(up, ast.Attribute):
        return up.attr in _ABOUT
    if isinstance(up, ast.Subscript):
        return isinstance(up.ctx, ast.Store) and column_read(up, {node.id}) is not None
    if isinstance(up, ast.Call):
        return isinstance(up.func, ast.Name) and up.func.id in ("len", "isinstance", "print")
    return isinstance(up, ast.Return | ast.Assign)


RULE = Rule(
    name="rows.first_only",
    severity=Severity.WARNING,
    summary="A processor that reads only the first row of a batch loses all the others",
    hint='Read the whole column, as in `batch["text"].tolist()`, and return a value for each row',
    why="A batch has as many rows as `batch_size` says, 64 if it says nothing: 63 of them get the first one's value.",
    offending=(
        """class Processor:
    def __call__(self, batch):
        text = batch["text"].iloc[0]
        batch["length"] = len(text)
        return batch
""",
        """class Processor:
    def __call__(self, batch):
        row = batch.iloc[0]
        vector = self._model.encode(row["text"])
        return batch.assign(vector=[vector] * len(batch))
""",
    ),
    harmless=(
        """class Processor:
    def __call__(self, batch):
        collection = batch["collection_id"].iloc[0]
        return batch.assign(length=[len(text) for text in batch["text"]], where=collection)
""",
        """class Processor:
    def __call__(self, batch):
        vectors = self._model.encode(batch["text"].tolist())
        first = vectors[0]
        return batch.assign(vector=list(vectors), size=len(first))
""",
    ),
    check=_check,
)
