"""Filters of stages: read from their JSON, and put upon a flow as far down as it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mixpeek.errors import InvalidRequest
from mixpeek.filters.model import EVERYTHING, Condition, Filter, Operator
from mixpeek.filters.parse import parse_filter
from mixpeek.retrieval.context import Context
from mixpeek.retrieval.results import Flow, Scan, both
from mixpeek.retrieval.templates import ROOTS, render


def read_filter(data: Any, inputs: Mapping[str, Any], *, case_sensitive: bool = True) -> Filter:
    """Return the filter that a stage's JSON says, its templates and dynamic values filled in.

    Case matters unless it says otherwise, as in all stages; in lists it does not.

    Raises: FilterInvalid. ReferenceMissing: it names an input that was not given.
    """

    def resolve(path: str) -> Any:
        root, _, rest = path.partition(".")
        if ROOTS.get(root.lower()) != "input" or not rest:
            raise InvalidRequest(f"A dynamic value names an input, not {path!r}", hint='Write "field": "inputs.NAME"')
        return render(f"{{{{INPUT.{rest}}}}}", inputs)

    return parse_filter(render(data, inputs), case_sensitive=case_sensitive, resolve=resolve)


def narrow(context: Context, flow: Flow, wanted: Filter) -> Flow:
    """Return what of a flow passes a filter: within the store as long as nothing was read or cut."""
    if wanted == EVERYTHING:
        return flow
    if isinstance(flow, Scan) and not flow.is_cut:
        return replace(flow, where=both(flow.where, wanted))
    return [result for result in context.results_of(flow) if result.passes(wanted)]


def within(context: Context, flow: Flow) -> Filter:
    """Return the filter that a flow's documents pass, and no others."""
    if isinstance(flow, Scan) and not flow.is_cut:
        return flow.where
    ids = [result.document_id for result in (context.results_of(flow) if isinstance(flow, Scan) else flow)]
    return Condition("document_id", Operator.IN, ids, case_sensitive=True)


def of_collections(ids: list[str]) -> Filter:
    """Return the filter that documents of these collections pass."""
    return Condition("collection_id", Operator.IN, ids, case_sensitive=True)
