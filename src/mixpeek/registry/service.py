"""From a requested upload to a published version, and finding versions again."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mixpeek.contract.versions import next_patch, plugin_id_from
from mixpeek.db.pool import Connection, Database, new_id
from mixpeek.errors import Conflict, NotFound
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.execution.environments.store import Environments
from mixpeek.execution.port import LogOrigin
from mixpeek.inspection.archive import ArchiveRefused
from mixpeek.inspection.severities import NO_OVERRIDES, Overrides
from mixpeek.model_store.service import ModelStore
from mixpeek.objects.store import LocalCopy, ObjectStore, local_copy
from mixpeek.registry import queries
from mixpeek.registry.errors import PluginRejected, UploadExpired, UploadMismatch, UploadMissing, VersionExists
from mixpeek.registry.models import PluginVersion, Upload
from mixpeek.registry.validation import Validated, unpack_version, validate_archive
from mixpeek.tenancy.models import Namespace
from mixpeek.tenancy.quotas import Quotas

# Held while an archive is stored and referred to, and while those nobody refers to are deleted.
ARCHIVES_LOCK = 7_204_651_119
# Examinations, each with a host of its own, that run side by side in one process.
EXAMINATIONS_AT_ONCE = max(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Registry:
    """The registry of one platform: its database, its object store, and the hosts that read manifests."""

    database: Database
    objects: ObjectStore
    execution: BlockingExecution
    scratch: Path
    max_archive_bytes: int
    environments: Environments
    models: ModelStore
    quotas: Quotas = field(default_factory=Quotas)
    overrides: Overrides = field(default_factory=lambda: NO_OVERRIDES)
    examinations: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(EXAMINATIONS_AT_ONCE)
    )

    def request_upload(self, namespace: Namespace, fields: dict[str, Any]) -> Upload:
        """Open an upload for `name` and `version`; without a version, the next free patch.

        Raises: VersionExists: the version is published.
        """
        name, version = fields["name"], fields["version"]
        with self.database.transaction() as connection:
            queries.lock_name(connection, namespace.namespace_id, name)
            self.quotas.check(connection, namespace.namespace_id, name, 0)
            if version is None:
                taken = queries.list_taken_versions(connection, namespace.namespace_id, name)
                chosen = next_patch(taken)
            else:
                chosen = version
                if queries.is_taken(connection, namespace.namespace_id, plugin_id_from(name, version)):
                    raise VersionExists(f"{name} {version} is already published; published versions never change")
            upload_id = new_id("pup")
            queries.insert_upload(
                connection,
                {
                    "upload_id": upload_id,
                    "namespace_id": namespace.namespace_id,
                    "name": name,
                    "version": chosen,
                    "version_given": version is not None,
                    "description": fields.get("description"),
                    "file_size_bytes": fields.get("file_size_bytes"),
                    "object_key": f"uploads/{upload_id}",
                    "expires_at": datetime.now(UTC) + timedelta(seconds=fields["expiration_s"]),
                },
            )
            upload = queries.lock_upload(connection, namespace.namespace_id, upload_id)
        assert upload is not None
        return upload

    def confirm(
        self,
        namespace: Namespace,
        upload_id: str,
        *,
        message: str | None,
        etag: str | None,
        size_bytes: int | None,
        actor: str,
    ) -> dict[str, Any]:
        """Validate what was uploaded and publish it; a repeated confirm answers the same again.

        Raises: UploadMissing, UploadExpired, UploadMismatch, ObjectTooLarge, VersionExists, PluginRejected.
        """
        upload = self._uploaded(namespace, upload_id)
        if upload.state == "published" and upload.result is not None:
            return upload.result
        with ExitStack() as kept:
            try:
                arrived = self.objects.arrived(upload.object_key, limit_bytes=self.max_archive_bytes)
                archive = kept.enter_context(arrived)
            except NotFound:
                # Another confirm of this upload may have published it, and cleared its bytes, since we looked.
                upload = self._uploaded(namespace, upload_id)
                if upload.result is None:
                    raise
                return upload.result
            _check_transfer(archive, etag, size_bytes)
            result = self._publish_upload(namespace, upload, archive, message=message, actor=actor)
        self.objects.delete(upload.object_key)
        return result

    def _publish_upload(
        self, namespace: Namespace, upload: Upload, archive: LocalCopy, *, message: str | None, actor: str
    ) -> dict[str, Any]:
        """Validate an archive that has arrived and record it; return what confirm answers."""
        # A second or two, in a host: no connection is held meanwhile.
        validated = self._validate(namespace, upload, archive)
        with self.database.transaction() as connection:
            queries.lock_name(connection, namespace.namespace_id, upload.name)
            current = queries.lock_upload(connection, namespace.namespace_id, upload.upload_id)
            if current is not None and current.state == "published" and current.result is not None:
                return current.result  # another confirm of this upload was faster
            version = self.publish(
                connection, namespace, upload.name, upload.version, validated, archive,
                description=upload.description, message=message, actor=actor,
            )  # fmt: skip
            result = _confirmed(upload.upload_id, version)
            queries.finish_upload(connection, upload.upload_id, "published", result)
        return result

    def _uploaded(self, namespace: Namespace, upload_id: str) -> Upload:
        """Return an upload whose bytes have arrived, or that is published already."""
        with self.database.transaction() as connection:
            upload = queries.find_upload(connection, namespace.namespace_id, upload_id)
        if upload is None:
            raise NotFound("upload", upload_id, hint="Request an upload first")
        if upload.state != "published" and not self.objects.exists(upload.object_key):
            if upload.expires_at < datetime.now(UTC):
                raise UploadExpired(f"Upload {upload_id} expired at {upload.expires_at.isoformat()}")
            raise UploadMissing(f"Nothing was uploaded for {upload_id} yet")
        return upload

    def _validate(self, namespace: Namespace, upload: Upload, archive: LocalCopy) -> Validated:
        """Examine an uploaded archive, with as many others at once as this machine has use for."""
        try:
            with self.examinations:
                validated = validate_archive(
                    self.execution,
                    archive.file,
                    self.scratch,
                    uid=namespace.host_uid,
                    expected_name=upload.name,
                    expected_version=upload.version if upload.version_given else None,
                    overrides=self.overrides,
                    origin=LogOrigin(
                        namespace.namespace_id, plugin_id_from(upload.name, upload.version), source="test"
                    ),
                )
        except ArchiveRefused as refused:
            raise PluginRejected(refused.findings, upload.upload_id) from refused
        if validated.manifest is None:
            raise PluginRejected(validated.findings, upload.upload_id)
        return validated

    def get(self, connection: Connection, namespace_id: str, plugin_id: str) -> PluginVersion:
        version = queries.find_version(connection, namespace_id, plugin_id)
        if version is None:
            raise NotFound("plugin", plugin_id, hint="`mixpeek plugin list` shows what this namespace has")
        return version

    def unpacked(self, version: PluginVersion) -> Path:
        """Return the directory holding the files of `version`, unpacking its archive on first use."""
        directory = self.scratch / version.code_hash
        if not directory.exists():
            with local_copy(self.objects.read(version.archive_key)) as archive:
                unpack_version(archive.file, directory, version.code_hash)
        os.utime(directory)  # retention keeps what is used
        return directory

    def publish(
        self,
        connection: Connection,
        namespace: Namespace,
        name: str,
        number: str,
        validated: Validated,
        archive: LocalCopy,
        *,
        description: str | None,
        message: str | None,
        actor: str,
    ) -> PluginVersion:
        """Record a validated archive as version `number` of `name`, in the caller's transaction."""
        assert validated.manifest is not None
        self.quotas.check(connection, namespace.namespace_id, name, archive.size_bytes)
        key = f"archives/{archive.sha256}"
        # Retention deletes archives that no version refers to; not between this line and the commit.
        connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [ARCHIVES_LOCK])
        if not self.objects.exists(key):
            self.objects.put(key, archive.chunks(), limit_bytes=self.max_archive_bytes)
        # On auto-bump the upload's number wins over the manifest's.
        manifest = validated.manifest.model_copy(update={"version": number}).model_dump(mode="json")
        plugin_id = plugin_id_from(name, number)
        inserted = queries.insert_version(
            connection,
            {
                "namespace_id": namespace.namespace_id,
                "plugin_id": plugin_id,
                "name": name,
                "version": number,
                "version_key": [int(part) for part in number.split(".")],
                "description": description or validated.manifest.description,
                "code_hash": validated.code_hash,
                "package": validated.package,
                "archive_sha256": archive.sha256,
                "archive_key": key,
                "size_bytes": archive.size_bytes,
                "files": validated.files,
                "manifest": manifest,
                "realtime_style": validated.realtime,
                "findings": [finding.wire() for finding in validated.findings],
                "message": message,
                "author": actor,
            },
        )
        if not inserted:
            raise VersionExists(f"{name} {number} is already published; published versions never change")
        queries.set_active(connection, namespace.namespace_id, name, plugin_id, replace=False)
        queries.append_ledger(
            connection, namespace.namespace_id, name, plugin_id, "publish", "published", actor=actor, message=message
        )
        version = queries.find_version(connection, namespace.namespace_id, plugin_id)
        if version is None:
            raise Conflict(f"{plugin_id} vanished while it was published", hint="Publish it again")
        return version


def _confirmed(upload_id: str, version: PluginVersion) -> dict[str, Any]:
    """Return what confirm answers, the first time and whenever it is repeated."""
    return {
        "success": True,
        "plugin_id": version.plugin_id,
        "upload_id": upload_id,
        "version": version.version,
        "validation_status": "passed",
        "validation_errors": [],
        "warnings": version.findings,
        "deployment_status": "not_deployed",
        "feature_uri": version.feature_uri,
        "s3_archive_url": version.archive_key,
        "code_hash": version.code_hash,
        "message": f"{version.name} {version.version} is published; deploy it to use it",
    }


def _check_transfer(archive: LocalCopy, etag: str | None, size_bytes: int | None) -> None:
    if size_bytes is not None and size_bytes != archive.size_bytes:
        raise UploadMismatch(f"{archive.size_bytes} bytes arrived, but the client says it sent {size_bytes}")
    if etag is not None and not archive.has_etag(etag):
        raise UploadMismatch("The archive's ETag is not the one the client got")
