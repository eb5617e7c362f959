"""Models of a namespace, from a requested upload to files that a host reads; and the models of a plugin version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mixpeek.contract.model_references import NAMESPACE_SCHEME, ModelReference, parse_references
from mixpeek.contract.versions import plugin_id_from
from mixpeek.db.pool import Connection, Database, new_id
from mixpeek.errors import Conflict, NotFound, RequestError
from mixpeek.execution.port import ModelMount
from mixpeek.model_store import queries
from mixpeek.model_store.cache import CachedModel, ModelCache
from mixpeek.model_store.errors import ModelChanged, ModelExists, ModelNotFound, ModelRejected
from mixpeek.model_store.fetching import fetch
from mixpeek.model_store.formats import ModelFormat, check_model
from mixpeek.model_store.hub import Hub
from mixpeek.model_store.models import ModelUpload, NamespaceModel, Pin
from mixpeek.model_store.unpacking import unpack_model
from mixpeek.objects.store import LocalCopy, ObjectStore
from mixpeek.tenancy.models import Namespace
from mixpeek.tenancy.quotas import QuotaExceeded

# Held while an archive is stored and referred to, and while those nobody refers to are deleted.
ARCHIVES_LOCK = 7_204_651_120
UPLOADS_PREFIX, ARCHIVES_PREFIX = "model-uploads/", "model-archives/"


class UploadUnusable(RequestError):
    """What was uploaded cannot be confirmed."""

    code, hint = "models.upload_unusable", "Request a new upload and PUT the archive again"


@dataclass(frozen=True)
class ModelStore:
    """The models of one platform."""

    database: Database
    objects: ObjectStore
    cache: ModelCache
    hub: Hub | None
    max_bytes: int
    max_models: int = 0

    def request_upload(self, namespace: Namespace, fields: dict[str, Any]) -> ModelUpload:
        """Open an upload; raises ModelExists, QuotaExceeded."""
        model_id = plugin_id_from(fields["name"], fields["version"])
        upload_id = new_id("mup")
        with self.database.transaction() as connection:
            self._check_free(connection, namespace.namespace_id, model_id)
            queries.insert_upload(
                connection,
                {
                    "upload_id": upload_id,
                    "namespace_id": namespace.namespace_id,
                    "name": fields["name"],
                    "version": fields["version"],
                    "model_format": fields["model_format"],
                    "declared": fields["declared"],
                    "object_key": f"{UPLOADS_PREFIX}{upload_id}",
                    "expires_at": datetime.now(UTC) + timedelta(seconds=fields["expiration_s"]),
                },
            )
            upload = queries.find_upload(connection, namespace.namespace_id, upload_id)
        assert upload is not None
        return upload

    def confirm(
        self, namespace: Namespace, upload_id: str, *, etag: str | None, size_bytes: int | None, actor: str
    ) -> dict[str, Any]:
        """Check what was uploaded and keep it as a model; a repeated confirm answers the same again.

        Raises: NotFound, UploadUnusable, ObjectTooLarge, ModelRejected, ModelExists, QuotaExceeded.
        """
        with self.database.transaction() as connection:
            upload = queries.find_upload(connection, namespace.namespace_id, upload_id)
        if upload is None:
            raise NotFound("upload", upload_id, hint="Request an upload first")
        if upload.result is not None:
            return upload.result
        with self.cache.building() as scratch:
            archive = scratch / "archive"
            sha256 = self._copy(upload, archive, etag, size_bytes)
            content_hash = self._unpack(archive, scratch / "files", ModelFormat(upload.model_format), upload_id)
            result = self._keep(namespace, upload, archive, sha256, content_hash, actor)
            # The bytes are here already: deploying will find them.
            self.cache.adopt(scratch / "files")
        self.objects.delete(upload.object_key)
        return result

    def get(self, namespace_id: str, model_id: str) -> NamespaceModel:
        with self.database.transaction() as connection:
            model = queries.find_model(connection, namespace_id, model_id)
        if model is None:
            raise NotFound("model", model_id)
        return model

    def deploy(self, namespace_id: str, model_id: str) -> tuple[NamespaceModel, bool]:
        """Make a model ready for hosts that start from now on; return it and whether it was in the cache already."""
        model = self.get(namespace_id, model_id)
        was_cached = self.cache.find(model.content_hash) is not None
        self._folder(model)
        with self.database.transaction() as connection:
            queries.mark_deployed(connection, namespace_id, model_id)
        return self.get(namespace_id, model_id), was_cached

    def delete(self, namespace_id: str, model_id: str) -> None:
        """Delete a model; raises Conflict while a live plugin declares it."""
        with self.database.transaction() as connection:
            if queries.find_model(connection, namespace_id, model_id) is None:
                raise NotFound("model", model_id)
            users = queries.list_live_users(connection, namespace_id, f"{NAMESPACE_SCHEME}{model_id}")
            if users:
                raise Conflict(
                    f"{model_id} is used by {', '.join(users)}", hint="Undeploy those plugins first", plugins=users
                )
            queries.mark_deleted(connection, namespace_id, model_id)

    def fill(self, namespace_id: str, plugin_id: str, declared: Iterable[str]) -> tuple[ModelMount, ...]:
        """Bring the models of a plugin version into the cache; return them with the deployed ones of its namespace.

        Hub models are resolved once per version and stay at that commit.

        Raises: HubUnavailable, ModelNotFound, ModelRejected, ModelChanged.
        """
        references = parse_references(list(declared))
        with self.database.transaction() as connection:
            pins = {pin.name: pin for pin in queries.list_pins(connection, namespace_id, plugin_id)}
            deployed = queries.list_deployed(connection, namespace_id)
        mounts: dict[str, ModelMount] = {}
        for reference in references:
            if reference.source == "hub":
                folder = self._hub_folder(namespace_id, plugin_id, reference, pins.get(reference.name))
                mounts[reference.key] = ModelMount(reference.key, folder, ModelFormat.HUGGINGFACE)
            else:
                mounts[reference.key] = self._mount(self._declared(namespace_id, reference))
        for model in deployed:
            mount = self._mount(model)
            mounts.setdefault(mount.key, mount)
        return tuple(mounts.values())

    def _hub_folder(self, namespace_id: str, plugin_id: str, reference: ModelReference, pin: Pin | None) -> Path:
        if pin is not None and (folder := self.cache.find(pin.content_hash)) is not None:
            return folder
        found = fetch(self.cache, self.hub, reference.name, pin.revision if pin else reference.revision)
        kept = pin or self._pin(namespace_id, plugin_id, reference.name, found)
        if found.content_hash != kept.content_hash:
            raise ModelChanged(
                f"{reference.name} at {kept.revision} now has other files than this version was deployed with",
                hint="Publish a new version of the plugin to take them",
            )
        folder = self.cache.find(kept.content_hash)
        if folder is None:
            raise ModelChanged(f"{reference.name} left the cache while it was fetched", hint="Deploy again")
        return folder

    def _pin(self, namespace_id: str, plugin_id: str, name: str, found: CachedModel) -> Pin:
        with self.database.transaction() as connection:
            queries.insert_pin(connection, namespace_id, plugin_id, Pin(name, found.revision, found.content_hash))
            pins = {pin.name: pin for pin in queries.list_pins(connection, namespace_id, plugin_id)}
        return pins[name]

    def _declared(self, namespace_id: str, reference: ModelReference) -> NamespaceModel:
        with self.database.transaction() as connection:
            model = queries.find_model(connection, namespace_id, reference.name)
        if model is None:
            raise ModelNotFound(
                f"This namespace has no model {reference.name}, which manifest.py declares: upload it first"
            )
        return model

    def _mount(self, model: NamespaceModel) -> ModelMount:
        return ModelMount(f"namespace:{model.model_id}", self._folder(model), model.model_format)

    def _folder(self, model: NamespaceModel) -> Path:
        """Return where a model's files lie, unpacking its archive again if they are gone."""
        folder = self.cache.find(model.content_hash)
        if folder is not None:
            return folder
        with self.cache.building() as scratch:
            archive = scratch / "archive"
            with archive.open("wb") as out:
                out.writelines(self.objects.read(model.archive_key))
            unpack_model(archive, scratch / "files", ModelFormat(model.model_format), self.max_bytes)
            content_hash = self.cache.adopt(scratch / "files")
        if content_hash != model.content_hash:
            raise ModelChanged(
                f"The stored archive of {model.model_id} no longer holds the files that were confirmed",
                hint="The object store lost or altered it; restore it from a backup, or upload a new version",
            )
        folder = self.cache.find(content_hash)
        assert folder is not None
        return folder

    def _copy(self, upload: ModelUpload, archive: Path, etag: str | None, size_bytes: int | None) -> str:
        """Copy what was uploaded into a file and return its sha256."""
        try:
            with archive.open("w+b") as out:
                copy = self.objects.copy_to(upload.object_key, out, limit_bytes=self.max_bytes)
        except NotFound as error:
            if upload.expires_at < datetime.now(UTC):
                raise UploadUnusable(f"Upload {upload.upload_id} expired at {upload.expires_at.isoformat()}") from error
            raise UploadUnusable(
                f"Nothing was uploaded for {upload.upload_id} yet",
                hint="PUT the archive to `presigned_url`, then confirm again",
            ) from error
        _check_transfer(copy, etag, size_bytes)
        return copy.sha256

    def _unpack(self, archive: Path, into: Path, form: ModelFormat, upload_id: str) -> str:
        content_hash = unpack_model(archive, into, form, self.max_bytes)
        findings = check_model(into, form)
        if findings:
            raise ModelRejected(findings, upload_id)
        return content_hash

    def _keep(
        self, namespace: Namespace, upload: ModelUpload, archive: Path, sha256: str, content_hash: str, actor: str
    ) -> dict[str, Any]:
        model_id = plugin_id_from(upload.name, upload.version)
        key = f"{ARCHIVES_PREFIX}{sha256}"
        with self.database.transaction() as connection:
            current = queries.find_upload(connection, namespace.namespace_id, upload.upload_id, lock=True)
            if current is not None and current.result is not None:
                return current.result  # another confirm of this upload was faster
            self._check_free(connection, namespace.namespace_id, model_id)
            connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [ARCHIVES_LOCK])
            if not self.objects.exists(key):
                with archive.open("rb") as content:
                    self.objects.put(key, iter(lambda: content.read(1 << 20), b""), limit_bytes=self.max_bytes)
            inserted = queries.insert_model(
                connection,
                {
                    "namespace_id": namespace.namespace_id,
                    "model_id": model_id,
                    "name": upload.name,
                    "version": upload.version,
                    "model_format": upload.model_format,
                    "declared": upload.declared,
                    "archive_sha256": sha256,
                    "archive_key": key,
                    "size_bytes": archive.stat().st_size,
                    "content_hash": content_hash,
                    "author": actor,
                },
            )
            if not inserted:
                raise ModelExists(f"{model_id} exists already; weights under one id never change")
            result = {
                "success": True,
                "upload_id": upload.upload_id,
                "model_id": model_id,
                "validation_status": "passed",
                "validation_errors": [],
                "s3_archive_url": key,
                "message": f"{model_id} is stored; deploy it to use it",
            }
            queries.finish_upload(connection, upload.upload_id, result)
        return result

    def _check_free(self, connection: Connection, namespace_id: str, model_id: str) -> None:
        queries.lock_namespace(connection, namespace_id)
        if queries.is_taken(connection, namespace_id, model_id):
            raise ModelExists(f"{model_id} exists already, or did; weights under one id never change")
        held = queries.count_models(connection, namespace_id) if self.max_models else 0
        if self.max_models and held >= self.max_models:
            raise QuotaExceeded(
                f"This namespace holds {held} models, its limit",
                hint="Delete models that are not needed, or have the operator raise the limit",
                resource="models", current=held, limit=self.max_models, tier=None,
            )  # fmt: skip


def _check_transfer(copy: LocalCopy, etag: str | None, size_bytes: int | None) -> None:
    if size_bytes is not None and size_bytes != copy.size_bytes:
        raise UploadUnusable(f"{copy.size_bytes} bytes arrived, but the client says it sent {size_bytes}")
    if etag is not None and not copy.has_etag(etag):
        raise UploadUnusable("The archive's ETag is not the one the client got")
