"""Which of its sources a collection, or one run of it, takes: the filter language asked of a source's fields. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixpeek.filters import evaluate
from mixpeek.filters.model import Filter
from mixpeek.filters.parse import parse_filter
from mixpeek.filters.surface import Column, Surface

_FIELDS = "fields"
_SURFACE = Surface(columns={}, rest=Column(_FIELDS, "json"), prefixes=frozenset({"metadata"}))


def read_source_filter(filters: Any) -> Filter:
    """Return what `source_filters` say; case does not matter unless they say so.

    Raises: FilterInvalid: with every fault.
    """
    return parse_filter(filters, case_sensitive=False)


def matches(wanted: Filter, fields: Mapping[str, Any]) -> bool:
    """Tell whether a source with these fields is taken."""
    return evaluate.matches(wanted, _SURFACE, {_FIELDS: fields})
