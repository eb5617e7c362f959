"""`sample`: some documents by chance, each value of a field in proportion if asked for."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from mixpeek.retrieval.context import MOST_RESULTS, Context
from mixpeek.retrieval.results import Flow, Result, found, hashable
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.wire import WireModel


class Parameters(WireModel):
    """How many to draw, and how."""

    other_names: ClassVar[dict[str, str]] = {"sample_size": "count", "size": "count"}

    count: int = Field(10, ge=1, le=MOST_RESULTS)
    strategy: Literal["random", "stratified", "reservoir"] = Field(
        "random", description="`reservoir` draws as `random` does: both are uniform."
    )
    stratify_by: str | None = None
    min_per_stratum: int = Field(1, ge=0, description="Documents of each value at least, while `count` lasts.")
    seed: int | None = Field(None, description="The same seed over the same documents draws the same.")
    preserve_top_k: int = Field(0, ge=0, description="The first ones, which are always kept and count too.")

    @model_validator(mode="after")
    def _names_its_strata(self) -> Parameters:
        if (self.strategy == "stratified") != (self.stratify_by is not None):
            raise ValueError('`stratify_by` goes with `"strategy": "stratified"`, and with no other')
        return self


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the drawn documents in the order they came in."""
    results = context.results_of(flow)
    chance = random.Random(parameters.seed)  # noqa: S311 - no secret
    kept = min(parameters.preserve_top_k, parameters.count)
    places = range(kept, len(results))
    count = parameters.count - kept
    if parameters.stratify_by is None:
        drawn = chance.sample(places, min(count, len(places)))
    else:
        strata: dict[Any, list[int]] = {}
        for place in places:
            strata.setdefault(hashable(found(results[place].read(parameters.stratify_by))), []).append(place)
        drawn = draw_from_strata(list(strata.values()), count, parameters.min_per_stratum, chance)
    return _in_order(results, [*range(min(kept, len(results))), *drawn])


def draw_from_strata(strata: list[list[int]], count: int, least: int, chance: random.Random) -> list[int]:
    """Return `count` places, of each stratum at least `least` while they last, the others in proportion.

    Shares are rounded down and the largest remainders rounded up, so that they add up.
    """
    total = sum(map(len, strata))
    count = min(count, total)
    takes = [min(least, len(stratum)) for stratum in strata]
    while sum(takes) > count:  # more strata than places: the smallest give way
        takes[max(range(len(takes)), key=lambda n: (takes[n], -len(strata[n])))] -= 1
    exact = [count * len(stratum) / total if total else 0.0 for stratum in strata]
    while sum(takes) < count:
        open_ones = [n for n, stratum in enumerate(strata) if takes[n] < len(stratum)]
        takes[max(open_ones, key=lambda n: exact[n] - takes[n])] += 1
    return [place for stratum, take in zip(strata, takes, strict=True) for place in chance.sample(stratum, take)]


def _in_order(results: list[Result], places: list[int]) -> list[Result]:
    return [results[place] for place in sorted(places)]


KIND = StageKind("sample", "reduce", "Draw some documents by chance", Parameters, run, icon="dices")
