"""Namespace models: upload, confirm, list, deploy, delete."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError, field_validator
from starlette.datastructures import UploadFile

from mixpeek.api.access import Deleter, PathNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.forms import form_body
from mixpeek.api.platform import Platform
from mixpeek.api.routes.plugins import signed_url
from mixpeek.api.schemas.models import (
    ModelAnswer,
    ModelConfirmed,
    ModelDeleted,
    ModelDeployed,
    ModelList,
    ModelUploaded,
    ModelUploadOpened,
)
from mixpeek.contract.model_references import MODEL_NAME
from mixpeek.errors import InvalidRequest
from mixpeek.model_store import queries
from mixpeek.model_store.formats import ModelFormat
from mixpeek.model_store.models import NamespaceModel
from mixpeek.objects.errors import ObjectTooLarge
from mixpeek.wire import WireModel

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/models", tags=["models"])


class Requirements(WireModel):
    num_cpus: float = Field(1, ge=0.1, le=64)
    num_gpus: int = Field(0, ge=0, le=8)
    memory: int = Field(4 * 1024**3, ge=1, description="Bytes.")


class RequestModelUpload(WireModel):
    # Said in the schema, checked by `_name`, which says it in words.
    name: str = Field(json_schema_extra={"pattern": MODEL_NAME.pattern})
    version: str = Field(pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$", description="Such as 1.2.3.")
    model_format: ModelFormat
    description: str | None = Field(None, max_length=500)
    file_size_bytes: int | None = Field(None, ge=0)
    presigned_url_expiration: int = Field(3600, ge=60, le=86400)
    resource_requirements: Requirements = Field(default_factory=Requirements)
    framework: str | None = Field(None, max_length=200)
    task_type: str | None = Field(None, max_length=200)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not MODEL_NAME.fullmatch(value):
            raise ValueError("a name is a letter, then 2 to 63 letters, digits, underscores or dashes")
        return value

    def fields(self) -> dict[str, Any]:
        """Return the upload as the store takes it."""
        declared = {"description", "resource_requirements", "framework", "task_type"}
        return {
            **self.model_dump(include={"name", "version"}),
            "model_format": self.model_format.value,
            "declared": self.model_dump(mode="json", include=declared),
            "expiration_s": self.presigned_url_expiration,
        }


class ConfirmModel(WireModel):
    etag: str | None = None
    file_size_bytes: int | None = None


# The form is read by `upload_model`, which knows its errors better than FastAPI.
_FORM = {
    "file": {"type": "string", "format": "binary", "description": "The archive (.tar.gz, .zip), or the weights alone."},
    "name": {"type": "string", "pattern": MODEL_NAME.pattern},
    "version": {"type": "string", "description": "Such as 1.2.3."},
    "model_format": {"type": "string", "enum": [form.value for form in ModelFormat]},
    "description": {"type": "string"},
    "framework": {"type": "string"},
    "task_type": {"type": "string"},
    "num_cpus": {"type": "number"},
    "num_gpus": {"type": "integer"},
    "memory_gb": {"type": "number"},
}
UPLOAD_FORM = form_body(["file", "name", "version", "model_format"], _FORM)


@router.post("/uploads", **answers(ModelUploadOpened, 409, checked=True))
def request_model_upload(
    request: Request, platform: PlatformDep, namespace: PathNamespace, caller: Writer, body: RequestModelUpload
) -> dict[str, Any]:
    """Open an upload and return where to PUT the model: an archive, or its weights alone."""
    limit = platform.settings.max_model_bytes
    if body.file_size_bytes is not None and body.file_size_bytes > limit:
        raise ObjectTooLarge(f"Models may have {limit} bytes, not {body.file_size_bytes}", hint="Send a smaller model")
    upload = platform.registry.models.request_upload(namespace, body.fields())
    return {
        "success": True,
        "upload_id": upload.upload_id,
        "presigned_url": signed_url(request, platform, "PUT", upload.object_key, body.presigned_url_expiration, limit),
        "s3_key": upload.object_key,
        "expires_at": upload.expires_at,
        "organization_id": namespace.organization_id,
        "namespace_id": upload.namespace_id,
        "name": upload.name,
        "version": upload.version,
        "model_format": upload.model_format,
    }


@router.post("/uploads/{upload_id}/confirm", **answers(ModelConfirmed, 409))
def confirm_model_upload(
    platform: PlatformDep, namespace: PathNamespace, caller: Writer, upload_id: str, body: ConfirmModel | None = None
) -> dict[str, Any]:
    """Check what was uploaded and store it as a model; nothing in it is loaded or run."""
    wanted = body or ConfirmModel(etag=None, file_size_bytes=None)
    return platform.registry.models.confirm(
        namespace, upload_id, etag=wanted.etag, size_bytes=wanted.file_size_bytes, actor=caller.name
    )


@router.post("", openapi_extra=UPLOAD_FORM, **answers(ModelUploaded, 409))
async def upload_model(
    request: Request, platform: PlatformDep, namespace: PathNamespace, caller: Writer
) -> dict[str, Any]:
    """Store a model sent as multipart form; large ones go through `uploads`."""
    async with request.form(max_files=1, max_fields=12) as form:
        unknown = sorted(set(form) - set(_FORM))
        if unknown:
            raise InvalidRequest(f"Unknown form field {unknown[0]!r}", hint=f"It takes {', '.join(_FORM)}")
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidRequest("The form has no file", hint="Send the archive as the field `file`")
        texts = {name: str(value) for name, value in form.items() if name != "file"}
        content = await file.read()
    wanted = _from_form(texts)
    confirmed = await asyncio.to_thread(_store, platform, namespace, wanted, content, caller.name)
    return {
        "success": True,
        "model_id": confirmed["model_id"],
        "deployment_status": "not_deployed",
        "endpoint": _address(namespace.namespace_id, confirmed["model_id"]),
        "model_archive_url": confirmed["s3_archive_url"],
    }


@router.get("", **answers(ModelList, checked=True))
def list_models(
    platform: PlatformDep,
    namespace: PathNamespace,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> dict[str, Any]:
    """List the models of a namespace, by id."""
    with platform.database.transaction() as connection:
        models = queries.list_models(connection, namespace.namespace_id, limit, offset)
        total = queries.count_models(connection, namespace.namespace_id)
    return {
        "success": True,
        "models": [_summary(model) for model in models],
        "total": total,
        "namespace_id": namespace.namespace_id,
    }


@router.get("/{model_id}", **answers(ModelAnswer, checked=True))
def get_model(platform: PlatformDep, namespace: PathNamespace, model_id: str) -> dict[str, Any]:
    """Return one model."""
    model = platform.registry.models.get(namespace.namespace_id, model_id)
    return {"success": True, "model": _document(model)}


@router.post("/{model_id}/deploy", **answers(ModelDeployed, checked=True))
def deploy_model(platform: PlatformDep, namespace: PathNamespace, caller: Writer, model_id: str) -> dict[str, Any]:
    """Put a model where plugin hosts read it; those that start from now on can load it."""
    model, was_cached = platform.registry.models.deploy(namespace.namespace_id, model_id)
    found = "was in the cache already" if was_cached else "is in the cache now"
    return {
        "success": True,
        "model_id": model.model_id,
        "namespace_id": model.namespace_id,
        "deployment_status": "deployed",
        "cached": True,
        "message": f"{model.model_id} {found}; plugins deployed from now on can load it",
    }


@router.delete("/{model_id}", **answers(ModelDeleted, 409, checked=True))
def delete_model(platform: PlatformDep, namespace: PathNamespace, caller: Deleter, model_id: str) -> dict[str, Any]:
    """Delete a model that no live plugin declares; its id stays taken."""
    platform.registry.models.delete(namespace.namespace_id, model_id)
    return {"success": True, "model_id": model_id, "message": f"{model_id} is deleted"}


def _from_form(texts: dict[str, str]) -> RequestModelUpload:
    needs: dict[str, Any] = {name: texts.pop(name) for name in ("num_cpus", "num_gpus") if name in texts}
    try:
        if "memory_gb" in texts:
            needs["memory"] = int(float(texts.pop("memory_gb")) * 1024**3)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"memory_gb is no number: {error}", hint="Send gigabytes, such as 4.0") from error
    try:
        return RequestModelUpload.model_validate({**texts, "resource_requirements": needs})
    except ValidationError as error:
        lines = error.errors(include_url=False)
        raise RequestValidationError([{**line, "loc": ("body", *line["loc"])} for line in lines]) from error


def _store(
    platform: Platform, namespace: Any, wanted: RequestModelUpload, content: bytes, actor: str
) -> dict[str, Any]:
    models = platform.registry.models
    upload = models.request_upload(namespace, wanted.fields())
    platform.objects.put(upload.object_key, [content], limit_bytes=platform.settings.max_model_bytes)
    return models.confirm(namespace, upload.upload_id, etag=None, size_bytes=None, actor=actor)


def _address(namespace_id: str, model_id: str) -> str:
    return f"/v1/namespaces/{namespace_id}/models/{model_id}"


def _summary(model: NamespaceModel) -> dict[str, Any]:
    return {
        "model_id": model.model_id,
        "name": model.name,
        "version": model.version,
        "model_format": model.model_format,
        "framework": model.declared.get("framework"),
        "task_type": model.declared.get("task_type"),
        "deployed": model.deployed_at is not None,
        "endpoint": None,
        "created_at": model.created_at,
        "updated_at": model.updated_at,
    }


def _document(model: NamespaceModel) -> dict[str, Any]:
    deployment = None
    if model.deployed_at is not None:
        deployment = {
            "ray_cluster_url": None,
            "ray_deployment_name": None,
            "endpoint": _address(model.namespace_id, model.model_id),
            "base_image": "",
            "deployed_at": model.deployed_at,
        }
    summary = {key: value for key, value in _summary(model).items() if key != "endpoint"}
    return {
        **summary,
        "namespace_id": model.namespace_id,
        "description": model.declared.get("description"),
        "model_archive_url": model.archive_key,
        "model_hash": model.archive_sha256,
        "content_hash": model.content_hash,
        "size_bytes": model.size_bytes,
        "deployment_info": deployment,
        "input_schema": None,
        "output_schema": None,
        "resource_requirements": model.declared["resource_requirements"],
    }
