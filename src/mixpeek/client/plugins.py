"""`client.plugins`: upload, deploy and look at plugin versions of a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mixpeek.client.resource import Resource, without_none
from mixpeek.client.response import Response
from mixpeek.client.transport import segment
from mixpeek.client.waiting import Progress, wait_until
from mixpeek.errors import InvalidRequest

# A deployment that has come to rest; QUEUED, PENDING and IN_PROGRESS go on.
ENDED = frozenset({"DEPLOYED", "NOT_DEPLOYED", "FAILED"})

_GZIP_MAGIC = b"\x1f\x8b"
# Validation starts plugin hosts and a redeploy of a batch-only version answers when it is done.
_LONG_ANSWER_S = 300.0


class Plugins(Resource):
    """Plugins of a namespace; every method takes `namespace` to name another than the client's."""

    def list(self, source: str | None = None, *, namespace: str | None = None) -> Response:
        """Return the plugins, or, with `source` (all, builtin, custom, community), all extractors that can be used."""
        base = self._namespace_path(namespace)
        if source is None:
            return self._transport.request("GET", f"{base}/plugins")
        return self._transport.request("GET", f"{base}/extractors", query={"source": source})

    def get(self, plugin_id: str, *, namespace: str | None = None) -> Response:
        """Return one version: the answer carries it under `plugin`."""
        return self._transport.request("GET", self._plugin_path(plugin_id, namespace))

    def upload(
        self,
        path: str | Path | bytes,
        *,
        name: str | None = None,
        version: str | None = None,
        message: str | None = None,
        description: str | None = None,
        on_progress: Callable[[int], None] | None = None,
        namespace: str | None = None,
    ) -> Response:
        """Publish one version: ask for a place, send the archive, have it validated.

        Args:
            path: a plugin's folder, which is packed as tar.gz, or a zip or tar.gz archive (a path, or its bytes).
            name: default the name of the folder or of the archive file.
            version: left out, the server takes the next patch version.
            on_progress: called with the number of bytes sent so far.
        Returns: the answer of the confirmation, and the `version` that was published.
        Raises: ApiError: 400 with `validation_errors` if the plugin is refused, 409 if the version exists.
        """
        content = archive_from(path)
        if name is None:
            name = _name_from(path)
        base = self._namespace_path(namespace)
        place = self._transport.request(
            "POST",
            f"{base}/plugins/uploads",
            body=without_none(name=name, version=version, description=description, file_size_bytes=len(content)),
        )
        content_type = "application/gzip" if content.startswith(_GZIP_MAGIC) else "application/zip"
        etag = self._transport.put(place["presigned_url"], content, content_type, progress=on_progress)
        confirmed = self._transport.request(
            "POST",
            f"{base}/plugins/uploads/{segment(place['upload_id'])}/confirm",
            body=without_none(message=message, etag=etag, file_size_bytes=len(content)),
            timeout_s=_LONG_ANSWER_S,
        )
        confirmed.setdefault("version", place.get("version"))
        return confirmed

    def deploy(self, plugin_id: str, *, batch_only: bool = False, namespace: str | None = None) -> Response:
        """Deploy or redeploy a version; `batch_only` gives it no realtime endpoint."""
        return self._transport.request(
            "POST",
            f"{self._plugin_path(plugin_id, namespace)}/deploy",
            query={"deployment_type": "batch_only" if batch_only else None},
            timeout_s=_LONG_ANSWER_S,
        )

    def status(self, plugin_id: str, *, namespace: str | None = None) -> Response:
        """Return where the deployment of a version stands."""
        return self._transport.request("GET", f"{self._plugin_path(plugin_id, namespace)}/status")

    def wait(
        self,
        plugin_id: str,
        on_progress: Progress | None = None,
        *,
        timeout_s: float | None = 900.0,
        poll_s: float | None = None,
        namespace: str | None = None,
    ) -> Response:
        """Return the status of a version once it is DEPLOYED, NOT_DEPLOYED or FAILED; raise WaitTimedOut."""
        return wait_until(
            lambda: self.status(plugin_id, namespace=namespace),
            lambda status: str(status.get("status")).upper() in ENDED,
            f"The deployment of {plugin_id}",
            on_progress=on_progress,
            timeout_s=timeout_s,
            poll_s=poll_s,
        )

    def undeploy(self, plugin_id: str, *, namespace: str | None = None) -> Response:
        """Take down the deployment of a version; the version stays."""
        return self._transport.request("POST", f"{self._plugin_path(plugin_id, namespace)}/undeploy")

    def realtime_test(
        self,
        plugin_id: str,
        inputs: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        *,
        namespace: str | None = None,
    ) -> Response:
        """Call the deployed handler and return its raw answer, or `status: "error"` with the cause."""
        body = {"inputs": dict(inputs), "parameters": dict(parameters or {})}
        return self._transport.request("POST", f"{self._plugin_path(plugin_id, namespace)}/realtime/test", body=body)

    def _namespace_path(self, namespace: str | None) -> str:
        chosen = namespace or self._transport.namespace
        if not chosen:
            raise InvalidRequest(
                "No namespace is given, and plugins belong to one",
                hint="Set MIXPEEK_NAMESPACE, or pass `namespace` (in the shell, `--namespace`)",
            )
        return f"/namespaces/{segment(chosen)}"

    def _plugin_path(self, plugin_id: str, namespace: str | None) -> str:
        return f"{self._namespace_path(namespace)}/plugins/{segment(plugin_id)}"


def archive_from(path: str | Path | bytes) -> bytes:
    """Return the archive to send for a folder, an archive file, or an archive's bytes."""
    if isinstance(path, bytes):
        return path
    path = Path(path)
    if path.is_dir():
        # The packer is only needed here; a client that never uploads does without it.
        from mixpeek.inspection.pack import pack_directory

        return pack_directory(path)
    if not path.is_file():
        raise InvalidRequest(f"`{path}` does not exist", hint="Pass a plugin's folder, or its zip or tar.gz archive")
    return path.read_bytes()


def _name_from(path: str | Path | bytes) -> str:
    if isinstance(path, bytes):
        raise InvalidRequest("An archive given as bytes has no name", hint="Pass `name`, as in manifest.py")
    resolved = Path(path).resolve()
    return resolved.name if resolved.is_dir() else resolved.name.removesuffix(".gz").rsplit(".", 1)[0]
