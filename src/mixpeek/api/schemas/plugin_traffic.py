"""Answers about versions that share the requests of a name, and about what a shadow answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer
from mixpeek.api.schemas.plugins import DeploymentState
from mixpeek.deployments.models import Role


class PluginPromoted(DeploymentState):
    """How a version stands, now that it is the only live one of its name."""

    success: Literal[True]
    superseded: list[str] = Field(description="Plugin ids that answered until now.")


class VersionTraffic(DeploymentState):
    """A version of a name and its part in the requests."""

    role: Role | None = Field(description="Null: it has no part in the requests that follow the name.")
    traffic: int = Field(ge=0, le=100, description="Percent of the requests that follow the name.")
    since: datetime | None


class ShadowFeature(Answer):
    """How like the vectors of one embedding feature are, as cosines; quantiles of the distance are right to 2.5 %."""

    feature: str
    compared: int
    min: float | None = Field(description="The cosine of the two vectors that differ most.")
    p1: float | None = Field(description="One hundredth of the pairs are less alike than this.")
    p5: float | None
    p50: float | None
    mean: float | None
    unlike: int = Field(description="Pairs of another length, or that hold something else than numbers.")


class ShadowKey(Answer):
    """How often one key of the output differed."""

    key: str
    changed: int = Field(description="Both have it, with different values; numbers within a millionth are the same.")
    missing: int = Field(description="Only the stable version has it.")
    added: int = Field(description="Only the shadow has it.")


class ShadowErrors(Answer):
    """Mirrored requests that failed."""

    stable: int
    shadow: int
    both: int = Field(description="Counted on both sides too.")


class Quantiles(Answer):
    """Of times in milliseconds, or of their ratio."""

    p50: float | None
    p95: float | None


class ShadowLatency(Answer):
    """Milliseconds from when a request was sent until it was answered, waiting included."""

    stable: Quantiles
    shadow: Quantiles
    ratio: Quantiles = Field(description="Shadow to stable.")


class ShadowAnswers(Answer):
    """How a shadow's answers differ from the stable version's, summed over all API processes."""

    plugin_id: str
    compared_with: str | None = Field(description="Plugin id of the stable version; null until something was counted.")
    updated_at: datetime | None = Field(description="Counts are written every few seconds.")
    mirrored: int = Field(description="Requests with an outcome on both sides.")
    compared: int
    alike: int = Field(description="Of those compared: both say the same.")
    dropped: int = Field(description="Requests that were not mirrored, as the shadow had no room for them.")
    too_large: int = Field(description="Answers over 1 MiB, which are not compared.")
    errors: ShadowErrors
    shadow_error_codes: dict[str, int]
    last_shadow_error: str | None
    features: list[ShadowFeature]
    keys: list[ShadowKey] = Field(description="Keys that differed, the most frequent first.")
    further_keys: int = Field(description="Differences in keys beyond the first hundred.")
    latency: ShadowLatency


class PluginTraffic(Answer):
    """Who answers the requests that follow a plugin's name."""

    success: Literal[True]
    namespace_id: str
    name: str
    versions: list[VersionTraffic] = Field(
        description="The stable version, then the canary or shadow, then the version asked for if it is neither."
    )
    shadow: ShadowAnswers | None = Field(description="Of the shadow, or of the version asked for while it was one.")
