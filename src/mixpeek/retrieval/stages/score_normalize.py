"""`score_normalize`: scores on a common scale; the order stays."""

from __future__ import annotations

from pydantic import Field, model_validator

from mixpeek.retrieval.context import Context
from mixpeek.retrieval.normalisation import Method, normalise
from mixpeek.retrieval.results import Flow, found, number_of
from mixpeek.retrieval.stages.kind import StageKind, WrittenField, check_written
from mixpeek.wire import WireModel


class Parameters(WireModel):
    """Which score to bring onto which scale."""

    method: Method = "min_max"
    score_field: str = Field("score", min_length=1)
    output_field: WrittenField | None = Field(None, description="Where to write it; default over `score_field`.")
    min_value: float | None = Field(None, description="Of `min_max`; default the smallest there is.")
    max_value: float | None = Field(None, description="Of `min_max`; default the largest there is.")

    @model_validator(mode="after")
    def _fits_its_method(self) -> Parameters:
        if self.output_field is None:
            check_written(self.score_field)
        if self.method != "min_max" and (self.min_value is not None or self.max_value is not None):
            raise ValueError(f"`min_value` and `max_value` are of `min_max`; `{self.method}` has no such bounds")
        if self.min_value is not None and self.max_value is not None and self.min_value >= self.max_value:
            raise ValueError("`min_value` has to be less than `max_value`")
        return self


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents with their scores rescaled; what has no such score keeps none."""
    results = context.results_of(flow)
    numbers = [number_of(found(result.read(parameters.score_field))) for result in results]
    scored = [(result, number) for result, number in zip(results, numbers, strict=True) if number is not None]
    rescaled = normalise(
        [number for _, number in scored],
        parameters.method,
        lowest=parameters.min_value,
        highest=parameters.max_value,
    )
    for (result, _), score in zip(scored, rescaled, strict=True):
        result.write(parameters.output_field or parameters.score_field, score)
    if len(scored) < len(results):
        context.warn(f"{len(results) - len(scored)} documents have no number in {parameters.score_field}")
    return results


KIND = StageKind("score_normalize", "sort", "Bring scores onto a common scale", Parameters, run, icon="ruler")
