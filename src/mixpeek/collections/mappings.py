"""What an extractor is fed: mappings from its inputs to fields of the source, and how a path reads a field. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

SourceType = Literal["payload", "literal", "vector"]


@dataclass(frozen=True)
class InputMapping:
    """One input: a field at `path`, a literal (`override`), or a vector of the source document called `path`."""

    input_key: str
    source_type: SourceType = "payload"
    path: str = ""
    override: Any = None


def parse_mappings(given: Mapping[str, str] | Sequence[Mapping[str, Any]]) -> tuple[InputMapping, ...]:
    """Return mappings as they are stored with a collection, in either of the documented forms."""
    if isinstance(given, Mapping):
        return tuple(InputMapping(key, path=path) for key, path in given.items())
    return tuple(
        InputMapping(item["input_key"], item["source_type"], item.get("path") or "", item.get("override"))
        for item in given
    )


def first_payload(mappings: Sequence[InputMapping]) -> InputMapping | None:
    """Return the mapping that decides what rows there are, and what their `data` is."""
    return next((mapping for mapping in mappings if mapping.source_type == "payload"), None)


def path_parts(path: str, names: Container[str]) -> list[str]:
    """Return the steps of a path, the first of them a field: `$.payload.title`, `metadata.title` → `["title"]`.

    Args:
        names: fields there are; one that is really called `metadata` or `payload` is read as itself.
    """
    parts = path.removeprefix("$.").split(".")
    for prefix in ("payload", "metadata"):
        if len(parts) > 1 and parts[0] == prefix and prefix not in names:
            parts = parts[1:]
    return parts


def source_name(path: str, names: Container[str] = ()) -> str:
    """Return the property or field that a path reads."""
    return path_parts(path, names)[0]


def value_at(values: Mapping[str, Any], path: str) -> Any:
    """Return what lies at a path, None if nothing does; a number picks an item of a list."""
    if "." not in path:
        return values.get(path)
    found: Any = values
    for part in path_parts(path, values):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found
