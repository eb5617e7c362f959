"""What a stage is: its parameters, its check when a retriever is made, and what it does with what comes before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mixpeek.retrieval.context import Context
from mixpeek.retrieval.results import Flow
from mixpeek.retrieval.targets import Bound, Target
from mixpeek.wire import WireModel

Category = Literal["filter", "sort", "reduce", "apply", "enrich"]


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
    per_document: frozenset[str] = field(default_factory=frozenset)
    icon: str = "workflow"
