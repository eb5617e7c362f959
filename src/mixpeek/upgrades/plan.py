"""What an upgrade would change: features, fields, the retrievers that name them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mixpeek.contract.features import FeatureUri


def compare_features(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each feature of either version whether it is `same`, `changed`, `added` or `removed`.

    Args: before, after: vector indexes in the documented shape.
    """
    old, new = ({index["name"]: index for index in each} for each in (before, after))
    told = []
    for name in dict.fromkeys([*old, *new]):
        was, will = old.get(name), new.get(name)
        pairs = {
            "dimensions": {"before": was and was["dimensions"], "after": will and will["dimensions"]},
            "distance": {"before": was and was["distance"], "after": will and will["distance"]},
        }
        if was is None or will is None:
            change = "added" if was is None else "removed"
        else:
            change = "same" if all(pair["before"] == pair["after"] for pair in pairs.values()) else "changed"
        told.append({"name": name, "change": change, **pairs})
    return told


def compare_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the fields that documents gain, lose, or hold with another type; both are properties of a schema."""
    return {
        "added": sorted(set(after) - set(before)),
        "removed": sorted(set(before) - set(after)),
        "changed": sorted(
            name for name in set(before) & set(after) if before[name].get("type") != after[name].get("type")
        ),
    }


def effect_on_retriever(stages: Any, features: Sequence[Mapping[str, Any]], extractor: str) -> tuple[str, str]:
    """Return what becomes of a retriever whose stages name features of the extractor, with the reason.

    `breaks`: it names one that the next version does not have. `vectors`: its queries may bring vectors of another
    dimension. `follows`: it goes on unchanged, embedding queries with the version that is searched.

    Args: features: as `compare_features` returns them.
    """
    changes = {feature["name"]: feature for feature in features}
    for address in _addresses(stages):
        try:
            uri = FeatureUri.parse(address)
        except ValueError:
            continue
        change = changes.get(uri.feature or "")
        if uri.extractor == extractor and change is not None and change["change"] == "removed":
            return "breaks", f"it searches {uri.feature!r}, which the next version does not make"
    resized = sorted(name for name, f in changes.items() if f["change"] == "changed" and _differ(f["dimensions"]))
    if resized and '"vector"' in _text(stages):
        return "vectors", f"queries that bring a vector need another length for {', '.join(resized)}"
    return "follows", "it searches the live generation under the address it names"


def _differ(pair: Mapping[str, Any]) -> bool:
    return bool(pair["before"] != pair["after"])


def _addresses(value: Any) -> Iterator[str]:
    """Yield every feature address in stages, wherever a stage has it."""
    if isinstance(value, str):
        if value.startswith("mixpeek://"):
            yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _addresses(each)
    elif isinstance(value, list):
        for each in value:
            yield from _addresses(each)


def _text(value: Any) -> str:
    import json

    return json.dumps(value)
