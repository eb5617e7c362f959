"""`attribute_filter`: documents whose fields pass a filter; within the store as long as nothing was read before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, model_validator

from mixpeek.filters.model import Filter
from mixpeek.retrieval.context import Context
from mixpeek.retrieval.narrowing import narrow, read_filter
from mixpeek.retrieval.results import Flow
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.retrieval.targets import Bound, Target
from mixpeek.wire import WireModel


class Parameters(WireModel):
    """One condition, or several under `conditions`."""

    field: str | None = None
    operator: str | None = Field(None, description="As in docs/howto/filter-documents.md; default `eq`.")
    value: Any = None
    conditions: dict[str, Any] | None = Field(None, description="`AND`, `OR` and `NOT` of conditions.")
    case_insensitive: bool = False
    batch_size: int = Field(100, ge=1, description="Without effect: the store filters all at once.")

    @model_validator(mode="before")
    @classmethod
    def _default_of_clients(cls, value: Any) -> Any:
        """Leave out the field that a client's model has by default, also where it sends `conditions`."""
        if isinstance(value, dict) and value.get("conditions") and value.get("field") == "metadata.status":
            return {key: item for key, item in value.items() if key != "field"}
        return value

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Parameters:
        if (self.field is None) == (self.conditions is None):
            raise ValueError("send either `field` with `operator` and `value`, or `conditions`")
        if self.conditions is not None and (self.operator is not None or self.value is not None):
            raise ValueError("`operator` and `value` go with `field`; put them into a condition")
        return self

    def filter(self, inputs: dict[str, Any]) -> Filter:
        """Return the filter that the parameters say; raise FilterInvalid."""
        data = self.conditions
        if data is None:
            data = {"field": self.field}
            data |= {name: getattr(self, name) for name in ("operator", "value") if name in self.model_fields_set}
        return read_filter(data, inputs, case_sensitive=not self.case_insensitive)


def check(parameters: Parameters, _targets: Sequence[Target], _bound: Bound) -> None:
    """Refuse a filter that cannot be read."""
    parameters.filter({})


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents that pass."""
    return narrow(context, flow, parameters.filter(context.inputs))


KIND = StageKind(
    "attribute_filter",
    "filter",
    "Filter documents by the values of their fields, with AND, OR and NOT",
    Parameters,
    run,
    check,
    icon="filter",
)
