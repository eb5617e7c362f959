# Made from mixpeek/client/aio/plugins.py by `make client`; change that one.
"""`client.plugins`: publish, deploy, compare and go back between plugin versions of a namespace."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.archives import archive_from, archive_suffix, archive_type, name_from
from mixpeek.client.errors import ApiError
from mixpeek.client.pacing import Pace, Progress
from mixpeek.client.response import Response
from mixpeek.client.sync.plugin_logs import follow_lines
from mixpeek.client.sync.resource import Resource, without_none
from mixpeek.client.sync.waiting import wait_until
from mixpeek.client.sync.world import off_loop
from mixpeek.errors import InvalidRequest

# A deployment that has come to rest; QUEUED, PENDING and IN_PROGRESS go on.
ENDED = frozenset({"DEPLOYED", "NOT_DEPLOYED", "FAILED"})

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

    def source(self, plugin_id: str, *, namespace: str | None = None) -> Response:
        """Return the `files` of a version, each with `path`, `size_bytes`, `sha256` and, where it is text, `text`."""
        return self._transport.request("GET", f"{self._plugin_path(plugin_id, namespace)}/source")

    def source_archive(self, plugin_id: str, *, namespace: str | None = None) -> bytes:
        """Return the files of a version as a zip, under one top-level folder."""
        return self._transport.get_bytes(f"{self._plugin_path(plugin_id, namespace)}/source", "application/zip")

    def download(self, plugin_id: str, *, namespace: str | None = None) -> Response:
        """Return the `presigned_url` under which anyone gets the uploaded archive, and its `sha256`."""
        return self._transport.request("GET", f"{self._plugin_path(plugin_id, namespace)}/download")

    def download_archive(self, plugin_id: str, *, namespace: str | None = None) -> bytes:
        """Return the archive as it was uploaded; raise ApiError if what arrives is something else."""
        place = self.download(plugin_id, namespace=namespace)
        content = self._transport.fetch(place["presigned_url"])
        if hashlib.sha256(content).hexdigest() != place["sha256"]:
            raise ApiError(
                f"The archive of {plugin_id} did not arrive as it is kept",
                status=502,
                type="UnusableAnswer",
                hint="Try again; a proxy on the way may have changed it",
            )
        return content

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
        content = off_loop(archive_from, path)
        if name is None:
            name = name_from(path)
        base = self._namespace_path(namespace)
        place = self._transport.request(
            "POST",
            f"{base}/plugins/uploads",
            body=without_none(name=name, version=version, description=description, file_size_bytes=len(content)),
        )
        etag = self._transport.put(place["presigned_url"], content, archive_type(content), progress=on_progress)
        confirmed = self._transport.request(
            "POST",
            f"{base}/plugins/uploads/{segment(place['upload_id'])}/confirm",
            body=without_none(message=message, etag=etag, file_size_bytes=len(content)),
            timeout_s=_LONG_ANSWER_S,
        )
        confirmed.setdefault("version", place.get("version"))
        return confirmed

    def upload_direct(
        self,
        path: str | Path | bytes,
        *,
        name: str | None = None,
        version: str | None = None,
        message: str | None = None,
        description: str | None = None,
        namespace: str | None = None,
    ) -> Response:
        """Publish one version in a single request, as a multipart form; arguments and errors as `upload`."""
        content = off_loop(archive_from, path)
        if name is None:
            name = name_from(path)
        return self._transport.post_form(
            f"{self._namespace_path(namespace)}/plugins",
            without_none(name=name, version=version, message=message, description=description),
            (f"{name}{archive_suffix(content)}", content, archive_type(content)),
            timeout_s=_LONG_ANSWER_S,
        )

    def versions(self, name: str, *, namespace: str | None = None) -> Response:
        """Return the `versions` of a plugin, newest first, each with its `deployments`."""
        return self._transport.request("GET", f"{self._name_path(name, namespace)}/versions")

    def rollback(
        self, name: str, version: str | None = None, message: str | None = None, *, namespace: str | None = None
    ) -> Response:
        """Make an earlier version active again, by default the one before; answers once it has taken over.

        Raises: ApiError: 409 if that version does not pass; then nothing has changed.
        """
        return self._transport.request(
            "POST",
            f"{self._name_path(name, namespace)}/rollback",
            body=without_none(version=version, message=message),
            timeout_s=_LONG_ANSWER_S,
        )

    def diff(self, name: str, v1: str, v2: str, *, namespace: str | None = None) -> Response:
        """Return what changed from `v1` to `v2`: `files`, a `summary`, and what the `manifest` declares differently."""
        return self._transport.request("GET", f"{self._name_path(name, namespace)}/diff", query={"v1": v1, "v2": v2})

    def delete(self, plugin_id: str, *, force: bool = False, namespace: str | None = None) -> Response:
        """Delete a version; raise ApiError 409 while collections depend on it, unless `force`."""
        return self._transport.request(
            "DELETE", self._plugin_path(plugin_id, namespace), query={"force": force or None}
        )

    def available(self, *, namespace: str | None = None) -> Response:
        """Return the organization's `plugins`, each with `enabled_in_namespace`."""
        return self._transport.request("GET", f"{self._namespace_path(namespace)}/plugins/available")

    def enable(
        self,
        plugin_id: str,
        params: Mapping[str, Any] | None = None,
        *,
        deploy: bool | None = None,
        namespace: str | None = None,
    ) -> Response:
        """Let the namespace use one of the organization's plugins, with `params` as its defaults.

        By default it is deployed where no version of the plugin is live. With `deploy=True` and an administrator's key
        it replaces the one that is, for every namespace.
        """
        body: dict[str, Any] = {"params": None if params is None else dict(params)}
        if deploy is not None:
            body["deploy"] = deploy
        return self._transport.request("POST", f"{self._shared_path(plugin_id, namespace)}/enable", body=body)

    def disable(self, plugin_id: str, *, force: bool = False, namespace: str | None = None) -> Response:
        """Take one of the organization's plugins from the namespace; raise ApiError 409 while collections use it."""
        return self._transport.request(
            "POST", f"{self._shared_path(plugin_id, namespace)}/disable", query={"force": force or None}
        )

    def reconfigure(self, *, dry_run: bool = False, namespace: str | None = None) -> Response:
        """Add what new plugins make searchable to the namespace, or with `dry_run` only say what; drops nothing."""
        return self._transport.request(
            "POST",
            f"{self._namespace_path(namespace)}/plugins/reconfigure",
            body={"confirm": not dry_run, "dry_run": dry_run},
        )

    def deploy(
        self,
        plugin_id: str,
        *,
        batch_only: bool = False,
        traffic: int | None = None,
        shadow: bool = False,
        message: str | None = None,
        namespace: str | None = None,
    ) -> Response:
        """Deploy or redeploy a version, by default for all requests that follow its plugin's name.

        Args:
            batch_only: give it no realtime endpoint.
            traffic: percentage of the requests, 1 to 99, that it answers as a canary beside the stable version.
            shadow: mirror requests to it and compare its answers; it answers none that follow the name.
        Raises: ApiError: 409 if nothing is live, or if two versions share the requests already.
        """
        return self._transport.request(
            "POST",
            f"{self._plugin_path(plugin_id, namespace)}/deploy",
            body=None if message is None else {"message": message},
            query={
                "deployment_type": "batch_only" if batch_only else None,
                "traffic": traffic,
                "shadow": shadow or None,
            },
            timeout_s=_LONG_ANSWER_S,
        )

    def promote(self, plugin_id: str, *, message: str | None = None, namespace: str | None = None) -> Response:
        """Make a canary or a shadow the only live version of its name; raise ApiError 409 if it is neither."""
        return self._transport.request(
            "POST",
            f"{self._plugin_path(plugin_id, namespace)}/promote",
            body=None if message is None else {"message": message},
        )

    def deployment(self, plugin_id: str, *, namespace: str | None = None) -> Response:
        """Return the `versions` that share the requests of a name, and under `shadow` how a shadow's answers differ."""
        return self._transport.request("GET", f"{self._plugin_path(plugin_id, namespace)}/deployment")

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
        pace = Pace(poll_s, is_watched=on_progress is not None, may_hold=False)
        return wait_until(
            lambda _: self.status(plugin_id, namespace=namespace),
            lambda status: str(status.get("status")).upper() in ENDED,
            f"The deployment of {plugin_id}",
            pace,
            on_progress=on_progress,
            timeout_s=timeout_s,
        )

    def logs(
        self,
        plugin_id: str,
        *,
        deployment_id: str | None = None,
        level: str | None = None,
        source: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        namespace: str | None = None,
    ) -> Response:
        """Return the latest lines that a version's hosts printed and logged, oldest first.

        Args:
            level: the least one of debug, info, warning, error, critical.
            source: realtime, gate, batch or test.
            since: a time with its zone.
            cursor: `pagination.next_cursor` of a page, for the lines before it.
        """
        query = {**_log_query(deployment_id, level, source, since, limit), "cursor": cursor}
        return self._transport.request("GET", f"{self._plugin_path(plugin_id, namespace)}/logs", query=query)

    def follow_logs(
        self,
        plugin_id: str,
        *,
        deployment_id: str | None = None,
        level: str | None = None,
        source: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        patience_s: float = 300.0,
        namespace: str | None = None,
    ) -> Iterator[Response]:
        """Yield the latest `limit` lines as `logs` does, then every new one; never ends by itself.

        Goes on where it was when the server comes back within `patience_s`.
        """
        return follow_lines(
            self._transport,
            f"{self._plugin_path(plugin_id, namespace)}/logs",
            _log_query(deployment_id, level, source, since, limit),
            patience_s=patience_s,
        )

    def undeploy(self, plugin_id: str, *, namespace: str | None = None) -> Response:
        """Take down the deployment of a version; the version stays. A canary's share goes back to the stable one."""
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

    def _plugin_path(self, plugin_id: str, namespace: str | None) -> str:
        return f"{self._namespace_path(namespace)}/plugins/{segment(plugin_id)}"

    def _name_path(self, name: str, namespace: str | None) -> str:
        return f"{self._namespace_path(namespace)}/plugins/by-name/{segment(name)}"

    def _shared_path(self, plugin_id: str, namespace: str | None) -> str:
        return f"{self._namespace_path(namespace)}/plugins/org/{segment(plugin_id)}"


def _log_query(
    deployment_id: str | None, level: str | None, source: str | None, since: datetime | None, limit: int | None
) -> dict[str, Any]:
    if since is not None and since.tzinfo is None:
        raise InvalidRequest("`since` has no time zone", hint="Pass an aware datetime, as `datetime.now(UTC)` is")
    return {
        "deployment_id": deployment_id,
        "level": level,
        "source": source,
        "since": None if since is None else since.isoformat(),
        "limit": limit,
    }
