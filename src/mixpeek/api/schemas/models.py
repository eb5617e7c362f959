"""Answers about namespace models."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer
from mixpeek.model_store.formats import ModelFormat


class ModelUploadOpened(Answer):
    """Where to PUT the model."""

    success: Literal[True]
    upload_id: str
    presigned_url: str = Field(description="PUT the archive here, without a key, until `expires_at`.")
    s3_key: str
    expires_at: datetime
    organization_id: str
    namespace_id: str
    name: str
    version: str
    model_format: ModelFormat


class ModelConfirmed(Answer):
    """A model is stored; its weights never change again."""

    success: Literal[True]
    upload_id: str
    model_id: str
    validation_status: Literal["passed"]
    validation_errors: list[str] = Field(description="Empty: a model with faults is refused.")
    s3_archive_url: str = Field(description="Key of the archive in the object store.")
    message: str


class ModelUploaded(Answer):
    """A model sent in one request is stored."""

    success: Literal[True]
    model_id: str
    deployment_status: Literal["not_deployed"]
    endpoint: str = Field(description="Address of the model; plugins load it by its id.")
    model_archive_url: str = Field(description="Key of the archive in the object store.")


class ModelSummary(Answer):
    """A model as lists show it."""

    model_id: str
    name: str
    version: str
    model_format: ModelFormat
    framework: str | None
    task_type: str | None
    deployed: bool
    endpoint: None
    created_at: datetime
    updated_at: datetime


class ModelList(Answer):
    """The models of a namespace, by id."""

    success: Literal[True]
    models: list[ModelSummary]
    total: int
    namespace_id: str


class ModelRequirements(Answer):
    """What the uploader says the model needs."""

    num_cpus: float
    num_gpus: int
    memory: int = Field(description="Bytes.")


class ModelDeployment(Answer):
    """Since when plugins can load the model."""

    ray_cluster_url: None
    ray_deployment_name: None
    endpoint: str
    base_image: str = Field(description="Empty: models are read by plugin hosts, not run in an image.")
    deployed_at: datetime


class ModelDocument(Answer):
    """One model."""

    model_id: str
    namespace_id: str
    name: str
    version: str
    description: str | None
    model_archive_url: str
    model_format: ModelFormat
    model_hash: str = Field(description="sha256 of the archive, in hex.")
    content_hash: str = Field(description="Identifies the files, whatever archive held them.")
    size_bytes: int
    deployed: bool
    deployment_info: ModelDeployment | None
    framework: str | None
    task_type: str | None
    input_schema: dict[str, Any] | None
    output_schema: dict[str, Any] | None
    resource_requirements: ModelRequirements
    created_at: datetime
    updated_at: datetime


class ModelAnswer(Answer):
    """One model."""

    success: Literal[True]
    model: ModelDocument


class ModelDeployed(Answer):
    """Hosts that start from now on can load the model."""

    success: Literal[True]
    model_id: str
    namespace_id: str
    deployment_status: Literal["deployed"]
    cached: bool = Field(description="Whether its files lie where hosts read them.")
    message: str


class ModelDeleted(Answer):
    """A model is gone."""

    success: Literal[True]
    model_id: str
    message: str
