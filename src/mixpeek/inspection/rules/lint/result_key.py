"""`realtime.result_key`: realtime answers have the vector under a name that no search looks for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import Function, methods, walk_here_into
from mixpeek.inspection.rules.base import Rule, Spot

_ANSWERS = ("predict", "run_inference", "__call__")
_KEYS = frozenset({"embedding", "embeddings"})


def _check(module: Module) -> Iterator[Spot]:
    features = module.facts.features or {}
    vectors = [name for name, kind in features.items() if kind == "embedding"]
    if module.path != "realtime.py" or not vectors:
        return
    for node in module.tree.body:
        for method in methods(node) if isinstance(node, ast.ClassDef) else ():
            found = _keys(method) if method.name in _ANSWERS else []
            keys = {key for _, own in found for key in own or ()}
            if found and all(own for _, own in found) and keys.isdisjoint(_KEYS | features.keys()):
                place, own = found[0]
                told = ", ".join(f"`{key}`" for key in sorted(own or ()))
                yield place, f"The answer has {told}, and no search finds a vector there"


def _keys(method: Function) -> list[tuple[ast.Return, frozenset[str] | None]]:
    """Return each return with the keys of the dict written out there, None for anything else."""
    found: list[tuple[ast.Return, frozenset[str] | None]] = []
    for node in walk_here_into(method):
        if isinstance(node, ast.Return):
            keys = node.value.keys if isinstance(node.value, ast.Dict) else [None]
            texts = [key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
            found.append((node, frozenset(texts) if len(texts) == len(keys) else None))
    return found


# As one file: the samples stand for a plugin whose manifest names the feature `words_vector`.
RULE = Rule(
    name="realtime.result_key",
    severity=Severity.WARNING,
    summary="A search looks for the query's vector under the feature's name, then under `embedding`",
    hint="Return it as `embedding`, or under the feature's name in manifest.py",
    why="The endpoint answers, and every search that has to embed a text fails with no vector found.",
    offending=(
        """class RealtimeHandler:
    def predict(self, request):
        return {"vector": embed(request["text"])}
""",
    ),
    harmless=(
        """class RealtimeHandler:
    def predict(self, request):
        return {"embedding": embed(request["text"])}
""",
        """class RealtimeHandler:
    def predict(self, request):
        return {"words_vector": embed(request["text"])}
""",
    ),
    sample_path="realtime.py",
    sample_beside={
        "manifest.py": 'features = [{"feature_name": "words_vector", "feature_type": "embedding", "embedding_dim": 8}]'
    },
    check=_check,
)
