"""The manifest: what a plugin declares about itself, checked and normalised.

Reading manifest.py belongs to the host, wording findings for an author to `inspection`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mixpeek.contract.features import FeatureUri
from mixpeek.contract.model_references import parse_references
from mixpeek.contract.pipeline import ResourceType
from mixpeek.contract.versions import NAME_PATTERN, normalise_version

DistanceMetric = Literal["cosine", "euclid", "dot"]
Name = Annotated[str, Field(pattern=NAME_PATTERN.pattern)]

_METRIC_ALIASES = {"euclidean": "euclid"}


class _Declared(BaseModel):
    """Unknown keys are errors: a misspelt one would otherwise change nothing, silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Feature(_Declared):
    """One named output of a plugin: a vector (`embedding`) or a value."""

    feature_type: str = Field(min_length=1)
    feature_name: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_.-]{0,127}$")]
    embedding_dim: int | None = Field(default=None, ge=1, le=65535)
    distance_metric: DistanceMetric = "cosine"
    description: str = ""

    @field_validator("distance_metric", mode="before")
    @classmethod
    def _resolve_alias(cls, value: Any) -> Any:
        name = value.lower() if isinstance(value, str) else value
        return _METRIC_ALIASES.get(name, name) if isinstance(name, str) else name

    @model_validator(mode="after")
    def _check_dimension(self) -> Feature:
        if self.feature_type == "embedding" and self.embedding_dim is None:
            raise ValueError(f"feature {self.feature_name!r} is an embedding and declares no embedding_dim")
        return self

    def uri(self, manifest: Manifest) -> str:
        """Return this feature's address, as in `mixpeek://text_embed@1.0.0/text_embedding`."""
        return str(FeatureUri(manifest.feature_extractor_name, manifest.version, self.feature_name))


class ComputeProfile(_Declared):
    """What a batch step asks for; `timeout_s` raises the limit of one call."""

    resource_type: ResourceType = ResourceType.CPU
    batch_size: int = Field(default=64, ge=1, le=100_000)
    max_concurrency: int = Field(default=2, ge=1, le=1024)
    actor_memory_gb: float = Field(default=2.0, gt=0, le=1024)
    gpu_memory_gb: float | None = Field(default=None, gt=0)
    timeout_s: float | None = Field(default=None, gt=0, le=3600)


class ServeConfig(_Declared):
    """What realtime asks for; `timeout_s` raises the limit of one call, `start_timeout_s` that of start and warm-up.

    `max_batch_size` requests share one call at most (16 if unset), `max_queued_requests` wait at most (256 if unset).
    """

    num_replicas: int = Field(default=1, ge=1, le=256)
    min_replicas: int | None = Field(default=None, ge=0, le=256)
    max_replicas: int | None = Field(default=None, ge=1, le=256)
    target_ongoing_requests: float | None = Field(default=None, gt=0)
    max_batch_size: int | None = Field(default=None, ge=1, le=1024)
    max_queued_requests: int | None = Field(default=None, ge=1, le=100_000)
    num_cpus: float | None = Field(default=None, ge=0)
    num_gpus: float | None = Field(default=None, ge=0)
    memory_gb: float | None = Field(default=None, gt=0)
    timeout_s: float | None = Field(default=None, gt=0, le=3600)
    start_timeout_s: float | None = Field(default=None, gt=0, le=3600)


class Manifest(_Declared):
    """Everything a plugin version declares; the schemas are JSON Schema objects, `version` is always X.Y.Z."""

    feature_extractor_name: Name
    version: str
    description: str = ""
    category: str = "text"
    author: str | None = None
    input_schema: dict[str, Any] = Field(default_factory=dict)
    output_schema: dict[str, Any] = Field(default_factory=dict)
    parameter_schema: dict[str, Any] = Field(default_factory=dict)
    supported_input_types: list[str] = Field(default_factory=list)
    features: list[Feature] = Field(default_factory=list)
    dependencies: list[str] = Field(default_factory=list)
    models: list[str] = Field(default_factory=list)
    compute_profile: ComputeProfile = Field(default_factory=ComputeProfile)
    serve_config: ServeConfig | None = None
    input_mappings: dict[str, str] = Field(default_factory=dict)
    parity: Literal["warn", "strict"] = "warn"
    tier: int | str | None = None
    tier_label: str | None = None
    feature_uri: str | None = None
    cost_rates: Any = None

    @field_validator("version", mode="before")
    @classmethod
    def _normalise_version(cls, value: Any) -> Any:
        return normalise_version(value) if isinstance(value, str) else value

    @field_validator("models", mode="after")
    @classmethod
    def _check_references(cls, value: list[str]) -> list[str]:
        return [str(reference) for reference in parse_references(value)]

    @field_validator("features", mode="after")
    @classmethod
    def _check_names_differ(cls, value: list[Feature]) -> list[Feature]:
        names = [feature.feature_name for feature in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"features share the name {', '.join(twice)}; each needs its own")
        return value

    @property
    def embeddings(self) -> list[Feature]:
        """The features that are vectors, in the order declared."""
        return [feature for feature in self.features if feature.feature_type == "embedding"]
