"""The manifest: what a plugin declares about itself, checked and normalised.

Reading manifest.py belongs to the host, wording findings for an author to `inspection`.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mixpeek.contract.features import FeatureUri
from mixpeek.contract.model_references import parse_references
from mixpeek.contract.pipeline import ResourceType
from mixpeek.contract.versions import NAME_PATTERN, normalise_version

DistanceMetric = Literal["cosine", "euclid", "dot"]

# Strict: `True` is no number, `384.0` and `"384"` are no dimension. An int still passes for a float.
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(strict=True, max_length=10_000)]
ShortText = Annotated[str, Field(strict=True, max_length=256)]
Name = Annotated[str, Field(strict=True, pattern=NAME_PATTERN.pattern)]

_METRIC_ALIASES = {
    "euclidean": "euclid",
    "l2": "euclid",
    "cosine_similarity": "cosine",
    "dot_product": "dot",
    "dotproduct": "dot",
    "inner_product": "dot",
    "ip": "dot",
}


class _Declared(BaseModel):
    """Unknown keys are errors: a misspelt one would otherwise change nothing, silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Feature(_Declared):
    """One named output of a plugin: a vector (`embedding`) or a value."""

    feature_type: ShortText = Field(min_length=1)
    feature_name: Annotated[str, Field(strict=True, pattern=r"^[a-zA-Z_][a-zA-Z0-9_.-]{0,127}$")]
    embedding_dim: Whole | None = Field(default=None, ge=1, le=65535)
    distance_metric: DistanceMetric = "cosine"
    description: Text = ""

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
    batch_size: Whole = Field(default=64, ge=1, le=100_000)
    max_concurrency: Whole = Field(default=2, ge=1, le=1024)
    actor_memory_gb: Number = Field(default=2.0, gt=0, le=1024)
    gpu_memory_gb: Number | None = Field(default=None, gt=0, le=1024)
    timeout_s: Number | None = Field(default=None, gt=0, le=3600)


class ServeConfig(_Declared):
    """What realtime asks for; `timeout_s` raises the limit of one call, `start_timeout_s` that of start and warm-up.

    `max_batch_size` requests share one call at most (16 if unset), `max_queued_requests` wait at most (256 if unset).
    """

    num_replicas: Whole = Field(default=1, ge=1, le=256)
    min_replicas: Whole | None = Field(default=None, ge=0, le=256)
    max_replicas: Whole | None = Field(default=None, ge=1, le=256)
    target_ongoing_requests: Number | None = Field(default=None, gt=0, le=1_000_000)
    max_batch_size: Whole | None = Field(default=None, ge=1, le=1024)
    max_queued_requests: Whole | None = Field(default=None, ge=1, le=100_000)
    num_cpus: Number | None = Field(default=None, ge=0, le=1024)
    num_gpus: Number | None = Field(default=None, ge=0, le=1024)
    memory_gb: Number | None = Field(default=None, gt=0, le=65_536)
    timeout_s: Number | None = Field(default=None, gt=0, le=3600)
    start_timeout_s: Number | None = Field(default=None, gt=0, le=3600)

    @model_validator(mode="after")
    def _check_replicas(self) -> ServeConfig:
        if self.min_replicas is not None and self.max_replicas is not None and self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas is {self.min_replicas}, more than max_replicas, {self.max_replicas}")
        return self


class Manifest(_Declared):
    """Everything a plugin version declares; the schemas are JSON Schema objects, `version` is always X.Y.Z.

    `explodes`: a processor may return several rows, or none, for one it was given; `document_id` says for which.
    """

    feature_extractor_name: Name
    version: ShortText
    description: Text = ""
    category: ShortText = "text"
    author: ShortText | None = None
    input_schema: dict[str, Any] = Field(default_factory=dict)
    output_schema: dict[str, Any] = Field(default_factory=dict)
    parameter_schema: dict[str, Any] = Field(default_factory=dict)
    supported_input_types: list[ShortText] = Field(default_factory=list, max_length=64)
    features: list[Feature] = Field(default_factory=list, max_length=256)
    dependencies: list[Text] = Field(default_factory=list, max_length=200)
    models: list[ShortText] = Field(default_factory=list, max_length=64)
    compute_profile: ComputeProfile = Field(default_factory=ComputeProfile)
    serve_config: ServeConfig | None = None
    input_mappings: dict[ShortText, ShortText] = Field(default_factory=dict, max_length=64)
    explodes: Annotated[bool, Field(strict=True)] = False
    parity: Literal["warn", "strict"] = "warn"
    tier: Whole | ShortText | None = None
    tier_label: ShortText | None = None
    feature_uri: ShortText | None = None
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
        counted = Counter(feature.feature_name for feature in value)
        twice = sorted(name for name, times in counted.items() if times > 1)
        if twice:
            raise ValueError(f"features share the name {', '.join(twice)}; each needs its own")
        return value

    @property
    def embeddings(self) -> list[Feature]:
        """The features that are vectors, in the order declared."""
        return [feature for feature in self.features if feature.feature_type == "embedding"]
