"""`json_transform`: each document replaced by the JSON that a template makes of it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from mixpeek.errors import InvalidRequest
from mixpeek.retrieval.context import Context
from mixpeek.retrieval.results import Flow, Result
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.retrieval.targets import Bound, Target
from mixpeek.retrieval.templates import check_template, render_text
from mixpeek.wire import WireModel


class Parameters(WireModel):
    """The template of a document."""

    template: str = Field(
        min_length=1,
        description='Jinja2 that makes JSON: `{"title": {{ DOC.title | tojson }}, "score": {{ DOC.score }}}`.',
    )
    fail_on_error: bool = Field(
        False, description="Else a document that cannot be written is left out, with a warning."
    )


def check(parameters: Parameters, _targets: Sequence[Target], _bound: Bound) -> None:
    """Refuse a template that cannot be read."""
    check_template(parameters.template)


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents as the template writes them; their ids and scores stay."""
    kept: list[Result] = []
    faults: list[str] = []
    for result in context.results_of(flow):
        context.check_time()
        try:
            written = transformed(parameters.template, result, context)
        except InvalidRequest as error:
            if parameters.fail_on_error:
                raise
            faults.append(error.message)
            continue
        result.fields, result.bare = written, True
        kept.append(result)
    if faults:
        context.warn(f"{context.stage_name} left out {len(faults)} documents; the first: {faults[0]}")
    context.metadata["failed"] = len(faults)
    return kept


def transformed(template: str, result: Result, context: Context) -> dict[str, Any]:
    """Return what a template makes of a document; what is no object stands under `value`.

    Raises: InvalidRequest: it cannot be filled in, or makes no JSON.
    """
    roots = {"doc": result.wire(), "input": context.inputs, "context": context.about, "stage": context.statistics}
    text = render_text(template, roots)
    try:
        made = json.loads(text, parse_constant=_refused, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        shown = text if len(text) <= 200 else f"{text[:200]}…"
        raise InvalidRequest(
            f"The template makes no JSON: {error}; it made {shown!r}",
            hint="Write texts as {{ DOC.title | tojson }}, which quotes them",
        ) from error
    return made if isinstance(made, dict) else {"value": made}


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _finite(written: str) -> float:
    number = float(written)
    if math.isinf(number):
        raise ValueError(f"{written} is too large a number")
    return number


KIND = StageKind(
    "json_transform",
    "apply",
    "Replace each document by the JSON that a template makes of it",
    Parameters,
    run,
    check,
    per_document=frozenset({"template"}),
    icon="braces",
)
