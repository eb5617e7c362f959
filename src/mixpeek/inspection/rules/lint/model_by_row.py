"""`SEQ001`: the model is asked for one row at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.edits import Edit, Places
from mixpeek.inspection.findings import Severity
from mixpeek.inspection.model_calls import is_model_call
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import RowCall, last_name
from mixpeek.inspection.rules.base import Rule, Spot

_OFFENDING = """
class Processor:
    def __call__(self, batch):
        batch["vector"] = [self._model.encode(text) for text in batch["text"]]
        return batch
"""
_LOOP = """
class Processor:
    def __call__(self, batch):
        vectors = []
        for text in batch["text"].fillna("").tolist():
            vectors.append(self._embed(text))
        return batch.assign(vector=vectors)

    def _embed(self, text):
        return self._model.encode([text])[0].tolist()
"""
_HARMLESS = """
class Processor:
    def __call__(self, batch):
        texts = batch["text"].fillna("").tolist()
        batch["vector"] = list(self._model.encode(texts))
        return batch
"""
_CHUNKS = """
class Processor:
    def __call__(self, batch):
        texts = batch["text"].fillna("").tolist()
        vectors = []
        for start in range(0, len(texts), 64):
            vectors.extend(self._model.encode(texts[start : start + 64]))
        return batch.assign(vector=vectors)
"""
_FRAMES_OF_A_VIDEO = """
class Processor:
    def __call__(self, batch):
        vectors = []
        for url in batch["data"]:
            frames = read_frames(url)
            vectors.append(self._model.encode(frames).mean(axis=0))
        return batch.assign(vector=vectors)
"""


def _asks_by_row(call: RowCall) -> bool:
    return call.takes_row and not call.loop.walk and is_model_call(call.node)


def _check(module: Module) -> Iterator[Spot]:
    for call in module.row_code.calls:
        if _asks_by_row(call):
            yield call.place, f"`{last_name(call.node.func)}` asks the model for one row at a time"


def _fix(module: Module, node: ast.AST) -> list[Edit]:
    """Turn `[model.encode(text) for text in texts]`, also with `.tolist()`, into one call."""
    for call in module.row_code.calls:
        if call.place is not node or call.node is not node or not _asks_by_row(call):
            continue
        loop, function = call.loop.node, call.node.func
        if not (isinstance(loop, ast.ListComp) and isinstance(function, ast.Attribute) and function.attr == "encode"):
            return []
        generator, given = loop.generators[0], call.node.args
        is_plain = (
            len(loop.generators) == 1
            and not generator.ifs
            and isinstance(generator.target, ast.Name)
            and len(given) == 1
            and isinstance(given[0], ast.Name)
            and given[0].id == generator.target.id
        )
        listed = _listed(loop.elt, call.node)
        if not is_plain or listed is None:
            return []
        places = Places(module.source)
        # As they are written, in whatever way.
        parts = (function, generator.iter, *(keyword.value for keyword in call.node.keywords))
        asked, rows, *values = (module.source[start:end].decode() for start, end in map(places.span, parts))
        more = "".join(f", {keyword.arg}={value}" for keyword, value in zip(call.node.keywords, values, strict=True))
        made = f"{asked}(list({rows}){more})"
        return [Edit(*places.span(loop), (f"{made}.tolist()" if listed else f"list({made})").encode())]
    return []


def _listed(element: ast.expr, call: ast.Call) -> bool | None:
    """Tell whether an element is the call's `.tolist()` or the call itself; None for anything else."""
    if element is call:
        return False
    is_tolist = (
        isinstance(element, ast.Call)
        and isinstance(element.func, ast.Attribute)
        and element.func.attr == "tolist"
        and not element.args
        and element.func.value is call
    )
    return True if is_tolist else None


RULE = Rule(
    name="SEQ001",
    severity=Severity.WARNING,
    summary="A model asked for one row at a time is slower than one asked for the whole batch",
    hint="Collect the rows in a list and call the model once for all of them, or for chunks of them",
    why="What a call costs by itself is paid for every row. Measured with the text scaffold's encoder (int8 "
    "MiniLM, one thread): 256 texts one by one take 1.3 times as long; hardware that takes many at a time loses more.",
    offending=(_OFFENDING.lstrip(), _LOOP.lstrip()),
    harmless=(_HARMLESS.lstrip(), _CHUNKS.lstrip(), _FRAMES_OF_A_VIDEO.lstrip()),
    check=_check,
    fix=_fix,
)
