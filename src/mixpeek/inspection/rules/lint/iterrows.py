"""`rows.iterrows`: rows are walked through with `iterrows`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.edits import Edit, Places
from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import RowLoop, walk_here
from mixpeek.inspection.rules.base import Rule, Spot
from mixpeek.inspection.rules.lint import walked_by_row


def _calls(module: Module) -> Iterator[tuple[ast.Call, RowLoop]]:
    for function in module.row_code.functions:
        for loop in function.loops:
            if loop.walk == "iterrows":
                found = next(
                    one
                    for one in ast.walk(loop.rows)
                    if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == "iterrows"
                )
                yield found, loop


def _check(module: Module) -> Iterator[Spot]:
    said = {id(call.loop) for call in module.row_code.calls if call.loop.walk == "iterrows" and call.takes_row}
    asked = {place for place, _ in walked_by_row.RULE.check(module)} if walked_by_row.RULE.check and said else set()
    for node, loop in _calls(module):
        # A call of the model in there has the finding that matters.
        if not any(part in asked for body in loop.body for part in walk_here(body)):
            yield node, "`iterrows` builds a Series for each row"


def _fix(module: Module, node: ast.AST) -> list[Edit]:
    """Turn `for _, row in batch.iterrows()` into `for row in batch.to_dict("records")`."""
    for call, loop in _calls(module):
        if call is not node or call is not loop.rows or not isinstance(loop.target, ast.Tuple):
            continue
        index, row = loop.target.elts if len(loop.target.elts) == 2 else (None, None)
        if not isinstance(index, ast.Name) or not isinstance(row, ast.Name):
            return []
        inside = [one for body in loop.body for one in ast.walk(body)]
        if any(isinstance(one, ast.Name) and one.id == index.id for one in inside):
            return []
        used = [one for one in inside if isinstance(one, ast.Name) and one.id == row.id]
        by_key = [
            one.value
            for one in inside
            if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Load) and isinstance(one.slice, ast.Constant)
        ]
        # A dict answers to nothing else that a Series does.
        if any(one not in by_key for one in used):
            return []
        places = Places(module.source)
        function = call.func
        assert isinstance(function, ast.Attribute)
        _, before = places.span(function.value)
        _, end = places.span(call)
        start, stop = places.span(loop.target)
        if module.source[start:stop].startswith(b"("):
            return []
        return [Edit(start, stop, row.id.encode()), Edit(before, end, b'.to_dict("records")')]
    return []


RULE = Rule(
    name="rows.iterrows",
    severity=Severity.WARNING,
    summary="`iterrows` builds a Series for each row, which takes far longer than reading the columns",
    hint="Read the columns as lists, `zip` them where there are several, or use `itertuples`",
    why="The Series has one type for all its values, so that whole numbers may become fractions. Measured: the "
    "lengths of 10,240 texts take 15 times as long as from the column.",
    offending=(
        """class Processor:
    def __call__(self, batch):
        lengths = []
        for _, row in batch.iterrows():
            lengths.append(len(row["text"]))
        return batch.assign(length=lengths)
""",
    ),
    harmless=(
        """class Processor:
    def __call__(self, batch):
        return batch.assign(length=[len(text) for text in batch["text"]])
""",
        """class Processor:
    def __call__(self, batch):
        pairs = zip(batch["title"], batch["text"])
        return batch.assign(both=[f"{title} {text}" for title, text in pairs])
""",
    ),
    check=_check,
    fix=_fix,
)
