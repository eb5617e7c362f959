"""Request bodies of upgrades."""

from __future__ import annotations

from pydantic import Field

from mixpeek.wire import WireModel


class BeginUpgrade(WireModel):
    """The version of its extractor that a collection is to be made with; without `start` this is a question."""

    version: str = Field(min_length=1, description="As `1.2.0`, or `latest` for the active one.")
    start: bool = False


class CompareGenerations(WireModel):
    """What the two generations are asked: these queries, else inputs of so many stored documents."""

    queries: list[str] | None = Field(None, min_length=1, max_length=200)
    sample: int = Field(50, ge=1, le=500)


class SwitchGeneration(WireModel):
    """`force` holds the collection's name: switch although something is not complete."""

    force: str | None = None
