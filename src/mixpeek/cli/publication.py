"""Publishing a plugin's folder: check it, pack it, send it, deploy it. `publish` and `push` say how far to go."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from mixpeek.cli.asking import author_broker
from mixpeek.cli.checking import examine_packed, host_spec, list_files, run_tests
from mixpeek.cli.deploying import follow, has_failed, show_deployment
from mixpeek.cli.output import Output
from mixpeek.cli.packing import PackedPlugin, packed, plugin_folder
from mixpeek.cli.report import Report, describe
from mixpeek.contract.features import FeatureUri
from mixpeek.contract.manifest import Manifest
from mixpeek.contract.versions import plugin_id_from
from mixpeek.errors import Conflict
from mixpeek.execution.local import LocalExecution
from mixpeek.inspection.limits import ArchiveRefused

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek, Response
    from mixpeek.examination.examination import Examination

# A deployment that goes on or stands needs no second request.
_UNDER_WAY = frozenset({"QUEUED", "PENDING", "IN_PROGRESS", "DEPLOYED"})


@dataclass(frozen=True)
class Wishes:
    """What to publish, and how far to go; `deploy` and `wait` come after the upload."""

    path: str
    message: str | None = None
    bump: bool = False
    strict: bool = False
    tests: bool = True
    deploy: bool = True
    batch_only: bool = False
    wait: bool = True


def publish_folder(client: Mixpeek | None, output: Output, wishes: Wishes) -> None:
    """Publish a folder; without a client, only check and pack it. Raise typer.Exit where it fails."""
    report = Report(output, strict=wishes.strict)
    dry_run = client is None
    with nullcontext() if client is None else client:
        try:
            with packed(plugin_folder(wishes.path)) as plugin:
                examination, learned = asyncio.run(_check(plugin, report, wishes))
                archive = plugin.archive
        except ArchiveRefused as refused:
            report.add_refused_archive(refused.findings)
            _conclude_locally(output, report, {}, dry_run)
            return
        if client is None or report.failed or examination.manifest is None:
            _conclude_locally(output, report, learned, dry_run)
            return
        sending = _Sending(client, output, examination.manifest, examination.code_hash, wishes)
        answer = sending.upload(archive)
        status = sending.deploy(answer) if wishes.deploy else None
    _conclude(output, report, {**learned, **answer}, status, wishes.batch_only)


async def _check(plugin: PackedPlugin, report: Report, wishes: Wishes) -> tuple[Examination, dict[str, Any]]:
    execution = LocalExecution(broker=author_broker())
    try:
        examination = await examine_packed(execution, plugin, report, is_built_later=True)
        tests = await run_tests(execution, host_spec(plugin, examination), report) if wishes.tests else None
    finally:
        await execution.close()
    report.say_if_no_secrets()
    return examination, {**describe(examination), "tests": tests, **list_files(plugin, report)}


def _conclude_locally(output: Output, report: Report, learned: dict[str, Any], dry_run: bool) -> None:
    output.document(report.document(dry_run=dry_run, published=False, **learned))
    if report.failed:
        output.say("\nNothing was published: repair the findings, then publish again", "bold red")
        raise typer.Exit(1)
    output.show(f"{learned['name']} {learned['version']} is ready to publish")


@dataclass(frozen=True)
class _Sending:
    """The part of publishing that talks to the server."""

    client: Mixpeek
    output: Output
    manifest: Manifest
    code_hash: str
    wishes: Wishes

    def upload(self, archive: bytes) -> dict[str, Any]:
        """Publish the archive; the same content again is no error."""
        from mixpeek.cli.progress import upload_bar
        from mixpeek.client import ApiError

        name, bump = self.manifest.feature_extractor_name, self.wishes.bump
        try:
            with upload_bar(self.output, len(archive)) as sent:
                confirmed = self.client.plugins.upload(
                    archive,
                    name=name,
                    version=None if bump else self.manifest.version,
                    message=self.wishes.message,
                    description=self.manifest.description or None,
                    on_progress=sent,
                )
        except ApiError as error:
            if error.status != 409 or bump:
                raise
            return self._already_published(error)
        self.output.check("Uploaded", "passed", f"{len(archive):,} bytes")
        self.output.check("Published", "passed", f"{name} {confirmed.get('version')}")
        self.output.findings(entry for entry in confirmed.get("validation_errors") or () if isinstance(entry, dict))
        return {"published": True, "plugin_id": confirmed["plugin_id"], "version": confirmed.get("version")}

    def _already_published(self, refusal: Exception) -> dict[str, Any]:
        name, version = self.manifest.feature_extractor_name, self.manifest.version
        plugin_id = plugin_id_from(name, version)
        known = self.client.plugins.get(plugin_id)
        if known.get("plugin", known).get("code_hash") != self.code_hash:
            raise Conflict(
                f"{name} {version} is already published with other content, and published versions never change",
                hint="Raise `version` in manifest.py, or publish the next patch version with `--bump`",
            ) from refusal
        self.output.check("Published", "passed", f"{name} {version} is already published with this content")
        return {"published": False, "already_published": True, "plugin_id": plugin_id, "version": version}

    def deploy(self, answer: dict[str, Any]) -> Response:
        """Deploy the version and return the status of its deployment."""
        plugin_id, plugins, batch_only = answer["plugin_id"], self.client.plugins, self.wishes.batch_only
        stands = not answer["published"] and not batch_only and plugins.status(plugin_id).get("status") in _UNDER_WAY
        if not stands:
            plugins.deploy(plugin_id, batch_only=batch_only)
        return follow(self.client, self.output, plugin_id, wait=self.wishes.wait)


def _conclude(
    output: Output, report: Report, learned: dict[str, Any], status: Response | None, batch_only: bool
) -> None:
    version = learned["version"]
    # A bumped version has other addresses than the manifest says.
    uris = [str(FeatureUri(learned["name"], version, FeatureUri.parse(uri).feature)) for uri in learned["features"]]
    state = None if status is None else str(status.get("status"))
    failed = status is not None and has_failed(status, batch_only=batch_only)
    document = report.document(**{**learned, "features": uris, "status": state, "deployment": status})
    output.document({**document, "success": not failed})
    if status is not None:
        show_deployment(output, status, batch_only=batch_only)
    if failed:
        again = f"mixpeek plugin deploy {learned['plugin_id']}"
        output.say(f"The version is published; `{again}` deploys it again after a repair", "bold red")
        raise typer.Exit(1)
    output.show(learned["plugin_id"])
    for uri in uris:
        output.show(uri)
