"""`model.per_call`: a model is loaded for each batch, each request or even each row."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.model_calls import loads_model, may_load
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import Function, methods, walk_here_into
from mixpeek.inspection.rules.base import Rule, Spot

_CALLED_OFTEN = frozenset({"__call__", "predict", "predict_batch", "run_inference"})


def _check(module: Module) -> Iterator[Spot]:
    if not may_load(module):
        return
    loads = {id(node): loader for node, loader in _loads(module)}
    if not loads:
        return
    held = _held(module)
    for node in module.tree.body:
        for method in methods(node) if isinstance(node, ast.ClassDef) else ():
            if method.name not in _CALLED_OFTEN or method.decorator_list:
                continue
            for one in walk_here_into(method):
                if id(one) in loads and id(one) not in held:
                    yield one, f"`{loads[id(one)]}` loads the model in every call of `{method.name}`"
    for call in module.row_code.calls:
        if id(call.node) in loads and id(call.node) not in held:
            yield call.place, f"`{loads[id(call.node)]}` loads the model for every row"


def _loads(module: Module) -> Iterator[tuple[ast.Call, str]]:
    for node in module.nodes:
        loader = loads_model(module, node) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and loader:
            yield node, loader


def _held(module: Module) -> set[int]:
    """Return the ids of what runs under a condition, or in a function that a decorator may keep the result of."""
    found: set[int] = set()
    for node in module.nodes:
        is_kept = isinstance(node, Function) and node.decorator_list
        if is_kept or isinstance(node, ast.If | ast.IfExp | ast.BoolOp | ast.ExceptHandler | ast.Match):
            found |= {id(one) for one in ast.walk(node)}
    return found


RULE = Rule(
    name="model.per_call",
    severity=Severity.WARNING,
    summary="A model loaded in `__call__` or `predict` is read from disk again for every batch or request",
    hint="Keep it: `if self._model is None: self._model = ...`, or load it in a function with `@lru_cache`",
    why="Loading takes seconds where a call takes milliseconds.",
    offending=(
        """import onnxruntime

class RealtimeHandler:
    def predict(self, request):
        session = onnxruntime.InferenceSession("model.onnx")
        return {"embedding": session.run(None, {"x": [request["text"]]})[0]}
""",
        """class Processor:
    def __call__(self, batch):
        return batch.assign(label=[self._label(text) for text in batch["text"]])

    def _label(self, text):
        from transformers import pipeline
        classify = pipeline("sentiment-analysis")
        return classify([text])[0]["label"]
""",
    ),
    harmless=(
        """from functools import lru_cache
import onnxruntime

@lru_cache(maxsize=1)
def load_session():
    return onnxruntime.InferenceSession("model.onnx")

class RealtimeHandler:
    def predict(self, request):
        return {"embedding": load_session().run(None, {"x": [request["text"]]})[0]}
""",
        """class RealtimeHandler:
    def __init__(self):
        self._model = None

    def predict(self, request):
        if self._model is None:
            from sentence_transformers import SentenceTransformer
            self._model = SentenceTransformer("all-MiniLM-L6-v2")
        return {"embedding": self._model.encode([request["text"]])[0].tolist()}
""",
    ),
    check=_check,
)
