"""What the text of manifest.py says about the rest of a plugin: its inputs, its features, whether it explodes."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

_WORD = re.compile(rb"[\"']([A-Za-z_]\w*)[\"']|\b([A-Za-z_]\w*)\s*[=:]")
_READ = re.compile(rb"\[\s*[\"']([A-Za-z_]\w*)[\"']\s*\](?!\s*=[^=])")


@dataclass(frozen=True)
class PluginFacts:
    """What is known of a plugin beside the file that is looked at.

    ``inputs`` are the columns that its input schema and mappings name, ``features`` its features' types by name; None
    where the text does not say. ``explodes`` is None too where it does not.
    """

    inputs: frozenset[str] | None = None
    features: Mapping[str, str] | None = None
    explodes: bool | None = None
    sources: Callable[[], Iterable[bytes]] = field(default=tuple, compare=False)

    @cached_property
    def made(self) -> frozenset[str]:
        """Return the words that stand somewhere in the plugin's code otherwise than to read a column of that name."""
        words: Counter[bytes] = Counter()
        for source in self.sources():
            words.update(quoted or bare for quoted, bare in _WORD.findall(source))
            words.subtract(_READ.findall(source))
        return frozenset(word.decode() for word, count in words.items() if count > 0)


NO_FACTS = PluginFacts()


def read_facts(tree: ast.Module, sources: Callable[[], Iterable[bytes]]) -> PluginFacts:
    """Return what a manifest's tree says; ``sources`` gives the plugin's files, should a rule want them."""
    values: dict[str, ast.expr | None] = {}
    classes: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            classes[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    # A name bound twice may be either.
                    values[target.id] = None if target.id in values else node.value
    metadata = values.get("metadata")
    values = {**_items(metadata), **values} if isinstance(metadata, ast.Dict) else values
    inputs = _columns(values.get("input_schema"), classes)
    mappings = values.get("input_mappings")
    if inputs is not None and mappings is not None:
        inputs = inputs | _items(mappings).keys() if isinstance(mappings, ast.Dict) else None
    return PluginFacts(inputs, _features(values.get("features")), _explodes(values), sources)


def _items(node: ast.expr | None) -> dict[str, ast.expr | None]:
    if not isinstance(node, ast.Dict):
        return {}
    return {
        key.value: value
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def _columns(schema: ast.expr | None, classes: dict[str, ast.ClassDef]) -> frozenset[str] | None:
    if isinstance(schema, ast.Dict):
        properties = _items(schema).get("properties")
        return frozenset(_items(properties)) if isinstance(properties, ast.Dict) else None
    model = classes.get(schema.id) if isinstance(schema, ast.Name) else None
    if model is None or any(not isinstance(base, ast.Name) or base.id != "BaseModel" for base in model.bases):
        return None
    if any(isinstance(part, ast.Assign) for part in model.body):
        return None  # `model_config` may let in more
    named = (part.target for part in model.body if isinstance(part, ast.AnnAssign))
    return frozenset(target.id for target in named if isinstance(target, ast.Name))


def _features(node: ast.expr | None) -> dict[str, str] | None:
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    found: dict[str, str] = {}
    for one in node.elts:
        name, kind = (_text(_items(one).get(key)) for key in ("feature_name", "feature_type"))
        if name is None or kind is None:
            return None
        found[name] = kind
    return found


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _explodes(values: dict[str, ast.expr | None]) -> bool | None:
    if "explodes" not in values:
        return False
    node = values["explodes"]
    return bool(node.value) if isinstance(node, ast.Constant) else None
