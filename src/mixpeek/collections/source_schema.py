"""Fields of a source by path: what their schema is, and under which name they are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixpeek.collections.mappings import path_parts


def schema_at(fields: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """Return the schema of what a path reads: {} where a field says nothing of what is in it, None for no field."""
    first, *rest = path_parts(path, fields)
    found = fields.get(first)
    for part in rest:
        inner = found.get("properties") if found else None
        found = found if not found else inner.get(part) if inner else found.get("items", {}) if part.isdigit() else {}
    return found


def target_of(source_path: str, target_path: str | None) -> str:
    """Return the field that a path is kept under: its target, else its own last part."""
    return target_path or source_path.rsplit(".", maxsplit=1)[-1]
