"""`rows.printed`: what rows hold is printed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.edits import Edit, Places
from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import FrameFunction, column_read, names_in, walk_here_into
from mixpeek.inspection.rules.base import Rule, Spot

# Words that say how much there is, not what.
_ABOUT = frozenset({"len", "type", "id", "sum"})


def _check(module: Module) -> Iterator[Spot]:
    if b"print" not in module.source:
        return
    for function in module.row_code.functions:
        names = set(function.frames | function.rows)
        for loop in function.loops:
            names |= names_in(loop.target) if loop.target is not None else set()
        for node in walk_here_into(function.node):
            is_print = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            if isinstance(node, ast.Call) and is_print and any(_shows(one, names, function) for one in node.args):
                yield node, "What rows hold is printed, and kept in the plugin's logs"


def _shows(  # noqa: PLR0911 - a case a line
    node: ast.expr, names: set[str], function: FrameFunction
) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names
    if column_read(node, function.frames):
        return True
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name):
            return node.func.id not in _ABOUT and any(_shows(one, names, function) for one in node.args)
        return (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in ("head", "tail", "to_string", "tolist")
            and (_shows(node.func.value, names, function))
        )
    if isinstance(node, ast.JoinedStr):
        return any(_shows(one.value, names, function) for one in node.values if isinstance(one, ast.FormattedValue))
    if isinstance(node, ast.Subscript):
        return _shows(node.value, names - set(function.frames), function)
    return False


def _fix(module: Module, node: ast.AST) -> list[Edit]:
    """Take the statement away, with its line; leave `pass` where nothing else is in its block."""
    for parent in module.nodes:
        for body in (getattr(parent, name, None) for name in ("body", "orelse", "finalbody")):
            statement = (
                next(
                    (one for one in body if isinstance(one, ast.Expr) and one.value is node),
                    None,
                )
                if isinstance(body, list)
                else None
            )
            if statement is None or not isinstance(body, list):
                continue
            places = Places(module.source)
            if len(body) == 1:
                return [Edit(*places.span(statement), b"pass")]
            start, end = places.line_span(statement.lineno, statement.end_lineno or statement.lineno)
            own_start, own_end = places.span(statement)
            alone = not module.source[start:own_start].strip() and not module.source[own_end:end].strip()
            return [Edit(start, end, b"")] if alone else []
    return []


RULE = Rule(
    name="rows.printed",
    severity=Severity.WARNING,
    summary="Printed rows end up in the plugin's logs, where others may read them",
    hint="Print how many rows there were, or nothing; look at rows with `mixpeek plugin test --sample-data`",
    why="Logs are kept and shown to whoever may see the plugin; rows may hold what they must not, and they cost time.",
    offending=(
        """class Processor:
    def __call__(self, batch):
        print(batch.head())
        return batch.assign(length=batch["text"].str.len())
""",
        """class Processor:
    def __call__(self, batch):
        for text in batch["text"]:
            print(f"got {text}")
        return batch
""",
    ),
    harmless=(
        """class Processor:
    def __call__(self, batch):
        print(f"{len(batch)} rows", list(batch.columns))
        return batch.assign(length=batch["text"].str.len())
""",
    ),
    check=_check,
    fix=_fix,
)
