"""`rows.none_returned`: a processor returns nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.edits import Edit, Places
from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import Processor, column_read, walk_here_into
from mixpeek.inspection.rules.base import Rule, Spot


def _check(module: Module) -> Iterator[Spot]:
    for processor in module.row_code.processors:
        nodes = list(walk_here_into(processor.call))
        if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes) or _is_left_open(processor):
            continue
        returns = [node for node in nodes if isinstance(node, ast.Return)]
        for node in returns:
            if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
                yield node, f"`{processor.node.name}` returns None here; the batch needs its frame back"
        if not returns:
            yield processor.call, f"`{processor.node.name}.__call__` returns nothing; the batch needs its frame back"


def _is_left_open(processor: Processor) -> bool:
    """Tell whether a method is there to be overridden."""
    last = processor.call.body[-1]
    is_stub = isinstance(last, ast.Pass) or (isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant))
    # What ends the method otherwise than by returning, as far as its last statement shows.
    never_ends = isinstance(last, ast.While) and isinstance(last.test, ast.Constant) and bool(last.test.value)
    return is_stub or never_ends or isinstance(last, ast.Raise) or bool(processor.call.decorator_list)


def _fix(module: Module, node: ast.AST) -> list[Edit]:
    """Return the frame that the method has written columns into."""
    for processor in module.row_code.processors:
        writes = any(
            column_read(one, {processor.frame}) and isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store)
            for one in walk_here_into(processor.call)
        )
        rebound = any(
            isinstance(one, ast.Name) and one.id == processor.frame and not isinstance(one.ctx, ast.Load)
            for one in ast.walk(processor.call)
        )
        if not writes or rebound:
            continue
        places = Places(module.source)
        if node is processor.call:
            last = processor.call.body[-1]
            first, end = processor.call.body[0], places.line_span(last.lineno, last.end_lineno or last.lineno)[1]
            start, _ = places.line_span(first.lineno, first.lineno)
            indent = module.source[start : places.span(first)[0]]
            if indent.strip():  # the body stands behind the colon
                return []
            newline = b"\r\n" if b"\r\n" in module.source else b"\n"
            before = b"" if module.source[:end].endswith((b"\n", b"\r")) else newline
            made = before + indent + b"return " + processor.frame.encode()
            return [Edit(end, end, made + (newline if not before else b""))]
        if isinstance(node, ast.Return) and any(one is node for one in walk_here_into(processor.call)):
            return [Edit(*places.span(node), b"return " + processor.frame.encode())]
    return []


RULE = Rule(
    name="rows.none_returned",
    severity=Severity.WARNING,
    summary="A processor that returns None gives back no row at all",
    hint="Return the frame, as in `return batch`, on every way through the method",
    why="All rows of such a batch fail with `returned None`, although the columns may have been written.",
    offending=(
        """class Processor:
    def __call__(self, batch):
        batch["length"] = batch["text"].str.len()
""",
        """class Processor:
    def __call__(self, batch):
        if batch.empty:
            return
        return batch.assign(length=batch["text"].str.len())
""",
    ),
    harmless=(
        """class Processor:
    def __call__(self, batch):
        if batch.empty:
            return batch
        return batch.assign(length=batch["text"].str.len())
""",
        """class Base:
    def __call__(self, batch):
        raise NotImplementedError
""",
    ),
    check=_check,
    fix=_fix,
    fix_is_safe=True,
)
