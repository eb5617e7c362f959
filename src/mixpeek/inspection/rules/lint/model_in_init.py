"""`model.in_init`: a processor loads its model while it is made."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.model_calls import loads_model
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import Function, Processor, methods, walk_here_into
from mixpeek.inspection.rules.base import Rule, Spot


def _check(module: Module) -> Iterator[Spot]:
    for processor in module.row_code.processors:
        for function in _run_by_init(processor):
            for node in walk_here_into(function):
                loader = loads_model(module, node) if isinstance(node, ast.Call) else None
                if loader:
                    yield node, f"`{loader}` loads the model while `{processor.node.name}` is made"


def _run_by_init(processor: Processor) -> Iterator[Function]:
    if processor.init is None:
        return
    yield processor.init
    named = {one.name: one for one in methods(processor.node)}
    for node in walk_here_into(processor.init):
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "self":
            helper = named.get(function.attr)
            if helper is not None and helper is not processor.init:
                yield helper


RULE = Rule(
    name="model.in_init",
    severity=Severity.WARNING,
    summary="A model loaded in `__init__` is loaded wherever the pipeline is only built, and must be there by then",
    hint="Load it with the first batch: `if self._model is None: self._model = ...` in a method that `__call__` calls",
    why="Building the steps has 10 s and no network, and what only builds them never needs the model.",
    offending=(
        """from sentence_transformers import SentenceTransformer

class Processor:
    def __init__(self, config):
        self._model = SentenceTransformer("all-MiniLM-L6-v2")

    def __call__(self, batch):
        return batch.assign(vector=list(self._model.encode(batch["text"].tolist())))
""",
        """class Processor:
    def __init__(self, config):
        self._load()

    def _load(self):
        from transformers import AutoModel
        self._model = AutoModel.from_pretrained("org/name")

    def __call__(self, batch):
        return batch.assign(vector=list(self._model.encode(batch["text"].tolist())))
""",
    ),
    harmless=(
        """class Processor:
    def __init__(self, config):
        self._model = None

    def _load(self):
        if self._model is None:
            from sentence_transformers import SentenceTransformer
            self._model = SentenceTransformer("all-MiniLM-L6-v2")
        return self._model

    def __call__(self, batch):
        return batch.assign(vector=list(self._load().encode(batch["text"].tolist())))
""",
    ),
    check=_check,
)
