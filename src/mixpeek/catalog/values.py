"""Whether values fit the fields a bucket's schema declares. Pure; every fault is gathered before any is raised."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from mixpeek.catalog.contents import FILE_KINDS
from mixpeek.errors import InvalidRequest

Properties = Mapping[str, Mapping[str, Any]]

_NUMBERS = frozenset({"number", "integer", "float"})
_STRUCTURES = frozenset({"object", "array", "json"})
_TEXTS = frozenset({"text", "string"})
# A blob of one of these types may stand for a property of another of them.
_ALIKE = (_NUMBERS, _STRUCTURES, _TEXTS, frozenset({"date", "datetime"}))


def check_property(name: str, properties: Properties) -> None:
    """Raise InvalidRequest for a name the schema lacks, with the one it may stand for."""
    if name in properties:
        return
    near = difflib.get_close_matches(name, properties, n=1)
    advice = f"Did you mean {near[0]!r}?" if near else f"The bucket has: {', '.join(sorted(properties))}"
    raise InvalidRequest(f"The bucket's schema has no property {name!r}", hint=advice)


def check_kind(name: str, kind: str, properties: Properties) -> None:
    """Raise InvalidRequest for a blob whose type is not the declared one, nor one alike."""
    declared = properties[name]["type"]
    if kind != declared and not any(kind in alike and declared in alike for alike in _ALIKE):
        raise InvalidRequest(
            f"Property {name!r} is of type {declared!r}, not {kind!r}",
            hint=f'Send the blob with `"type": "{declared}"`',
        )


def merged_fields(root: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an object, sent at the root, under `metadata`, or the same in both.

    Raises: InvalidRequest: the two say different things.
    """
    for name in root.keys() & metadata.keys():
        if root[name] != metadata[name]:
            raise InvalidRequest(
                f"{name!r} is sent twice, with different values", hint="Send it at the root or under `metadata`"
            )
    return {**metadata, **root}


def with_defaults(fields: Mapping[str, Any], blobs: set[str], properties: Properties) -> dict[str, Any]:
    """Return the fields with the declared defaults in; `blobs` names the properties that blobs hold.

    Raises: InvalidRequest: a required property is missing, or a value does not fit; every fault is named.
    """
    complete, faults = dict(fields), []
    for name, declared in properties.items():
        if name in blobs or complete.get(name) is not None:
            continue
        if declared.get("default") is not None:
            complete[name] = declared["default"]
        elif declared.get("required"):
            faults.append(f"Required property {name!r} is missing")
    for name, value in complete.items():
        if name in properties and value is not None and properties[name]["type"] not in FILE_KINDS:
            faults += faults_of(value, properties[name], name)
    if faults:
        raise InvalidRequest("; ".join(faults), hint="Send values that fit the bucket's schema; nothing was stored")
    return complete


def faults_of(value: Any, declared: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield what is wrong with a value, and where."""
    kind = declared["type"]
    if not _is_of(value, kind):
        yield f"{path!r} is of type {kind!r}; {_shown(value)} is not"
        return
    allowed = declared.get("enum")
    if allowed is not None and value not in allowed:
        yield f"{path!r} is one of {', '.join(map(repr, allowed))}; {_shown(value)} is not"
    if kind == "array" and isinstance((items := declared.get("items")), dict) and "type" in items:
        for place, item in enumerate(value):
            yield from faults_of(item, items, f"{path}[{place}]")
    if kind == "object" and isinstance((inner := declared.get("properties")), dict):
        for name, each in inner.items():
            if not isinstance(each, dict) or "type" not in each:
                continue
            if value.get(name) is not None:
                yield from faults_of(value[name], each, f"{path}.{name}")
            elif each.get("required"):
                yield f"{path}.{name}: required, and missing"


def _is_of(value: Any, kind: str) -> bool:
    # json holds anything; what else a schema may name, files, are checked as content.
    check = _CHECKS.get(kind)
    return check is None or check(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _is_moment(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_a(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "string": _is_a(str),
    "text": _is_a(str),
    "integer": _is_integer,
    "number": _is_number,
    "float": _is_number,
    "boolean": _is_a(bool),
    "object": _is_a(dict),
    "array": _is_a(list),
    "date": _is_moment,
    "datetime": _is_moment,
}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
