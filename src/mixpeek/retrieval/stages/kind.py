"""What a stage is: its parameters, its check when a retriever is made, and what it does with what comes before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from mixpeek.retrieval.context import Context
from mixpeek.retrieval.results import OWN, Flow
from mixpeek.retrieval.targets import Bound, Target
from mixpeek.wire import WireModel

Category = Literal["filter", "sort", "reduce", "apply", "enrich"]


def check_written(name: str) -> str:
    """Return the name of a field that a stage can write; raise ValueError for one that is the answer's own."""
    first, _, rest = name.partition(".")
    if first in OWN and name != "score" and not (first == "scores" and rest):
        raise ValueError(f"{name!r} cannot be written, as the answer has its own; name a field such as `found.{first}`")
    if not all(name.split(".")):
        raise ValueError(f"{name!r} is no field; in a path there is a name on each side of a dot")
    return name


# Where a stage writes to: `score`, `scores.x`, or a field of the document as it is answered.
WrittenField = Annotated[str, AfterValidator(check_written)]


def check_nothing(_parameters: Any, _targets: Sequence[Target], _bound: Bound) -> None:
    """Check a stage whose parameters say all there is to know."""


@dataclass(frozen=True)
class StageKind:
    """What a stage takes and does.

    Args:
        run: (parameters, context, what comes before) → what goes on; a retriever begins with all its documents.
        check: (parameters, targets, what they are bound to); raises InvalidRequest for what collections do not have.
        per_document: parameters whose templates are filled in document by document.
    """

    stage_id: str
    category: Category
    description: str
    parameters: type[WireModel]
    run: Callable[[Any, Context, Flow], Flow]
    check: Callable[[Any, Sequence[Target], Bound], None] = check_nothing
    per_document: frozenset[str] = frozenset()
    icon: str = "workflow"
