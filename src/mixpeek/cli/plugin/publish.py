"""`mixpeek plugin publish`: examine, pack, upload, confirm, deploy, wait."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.options import ApiKey, BaseUrl, Json, Namespace, PluginPath, Verbose, connect
from mixpeek.cli.output import Output, output_for
from mixpeek.errors import Conflict, InvalidRequest

if TYPE_CHECKING:
    from mixpeek.cli.packing import PackedPlugin
    from mixpeek.client import Mixpeek, Response
    from mixpeek.contract.manifest import Manifest
    from mixpeek.examination.examine import Examination

# A deployment that goes on or stands needs no second request.
_UNDER_WAY = frozenset({"QUEUED", "PENDING", "IN_PROGRESS", "DEPLOYED"})


def publish(
    context: typer.Context,
    *,
    path: PluginPath = ".",
    namespace: Namespace = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Validate and pack, but upload nothing.")] = False,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="What this version changes.", show_default=False)
    ] = None,
    bump: Annotated[bool, typer.Option("--bump", help="Publish as the next patch version.")] = False,
    batch_only: Annotated[bool, typer.Option("--batch-only", help="Deploy without a realtime endpoint.")] = False,
    no_deploy: Annotated[bool, typer.Option("--no-deploy", help="Publish, but deploy nothing.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is deployed.")] = False,
    verbose: Verbose = False,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Validate a plugin, publish it to a namespace, and deploy it."""
    # The examination is slow to import; `mixpeek --help` must not wait for it.
    from mixpeek.cli.packing import packed, plugin_folder
    from mixpeek.cli.report import Report
    from mixpeek.inspection.limits import ArchiveRefused

    output = output_for(context, json, verbose=verbose)
    folder = plugin_folder(path)
    report = Report(output)
    with nullcontext() if dry_run else connect(context, api_key, base_url, namespace) as client:
        if client is not None and client.namespace is None:
            raise InvalidRequest(
                "No namespace is given", hint="Pass `--namespace`, or set MIXPEEK_NAMESPACE to its ID or name"
            )
        try:
            with packed(folder) as plugin:
                examination = asyncio.run(_examine(plugin, report))
                archive, learned = plugin.archive, _learned(plugin, examination)
        except ArchiveRefused as refused:
            report.add_refused_archive(refused.findings)
            _conclude_locally(output, report, {}, dry_run)
            return
        if client is None or report.failed or examination.manifest is None:
            _conclude_locally(output, report, learned, dry_run)
            return
        publication = _Publication(client, output, examination.manifest, examination.code_hash, bump)
        answer = publication.upload(archive, message)
        status = None if no_deploy else publication.deploy(answer, batch_only=batch_only, wait=not no_wait)
    _conclude(output, report, {**learned, **answer}, status, batch_only)


async def _examine(plugin: PackedPlugin, report: Any) -> Examination:
    from mixpeek.cli.progress import spinner
    from mixpeek.examination.examine import examine
    from mixpeek.execution.local import LocalExecution

    execution = LocalExecution()
    try:
        with spinner(report.output, "Examining"):
            examination = await examine(execution, plugin.unpacked)
    finally:
        await execution.close()
    report.add_examination(examination)
    return examination


def _learned(plugin: PackedPlugin, examination: Examination) -> dict[str, Any]:
    from mixpeek.cli.report import describe

    files = [file.path for file in examination.files]
    return {**describe(examination), "archive_bytes": len(plugin.archive), "files": files}


def _conclude_locally(output: Output, report: Any, learned: dict[str, Any], dry_run: bool) -> None:
    output.document(report.document(dry_run=dry_run, published=False, **learned))
    if report.failed:
        output.say("\nNothing was published: repair the findings, then publish again", "bold red")
        raise typer.Exit(1)
    output.show(f"{learned['name']} {learned['version']} is ready to publish")
    if output.verbose:
        for file in learned["files"]:
            output.say(f"  {file}", "dim")


@dataclass(frozen=True)
class _Publication:
    """The part of publishing that talks to the server."""

    client: Mixpeek
    output: Output
    manifest: Manifest
    code_hash: str
    bump: bool

    def upload(self, archive: bytes, message: str | None) -> dict[str, Any]:
        """Publish the archive; the same content again is no error."""
        from mixpeek.cli.progress import upload_bar
        from mixpeek.client import ApiError

        name = self.manifest.feature_extractor_name
        try:
            with upload_bar(self.output, len(archive)) as sent:
                confirmed = self.client.plugins.upload(
                    archive,
                    name=name,
                    version=None if self.bump else self.manifest.version,
                    message=message,
                    description=self.manifest.description or None,
                    on_progress=sent,
                )
        except ApiError as error:
            if error.status != 409 or self.bump:
                raise
            return self._already_published(error)
        self.output.check("Uploaded", "passed", f"{len(archive):,} bytes")
        self.output.check("Published", "passed", f"{name} {confirmed.get('version')}")
        self.output.findings(entry for entry in confirmed.get("validation_errors") or () if isinstance(entry, dict))
        return {"published": True, "plugin_id": confirmed["plugin_id"], "version": confirmed.get("version")}

    def _already_published(self, refusal: Exception) -> dict[str, Any]:
        from mixpeek.contract.versions import plugin_id_from

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

    def deploy(self, answer: dict[str, Any], *, batch_only: bool, wait: bool) -> Response:
        """Deploy the version and return the status of its deployment."""
        from mixpeek.cli.progress import status_bar

        plugin_id, plugins = answer["plugin_id"], self.client.plugins
        stands = not answer["published"] and not batch_only and plugins.status(plugin_id).get("status") in _UNDER_WAY
        if not stands:
            plugins.deploy(plugin_id, batch_only=batch_only)
        if not wait:
            return plugins.status(plugin_id)
        with status_bar(self.output, f"Deploying {plugin_id}") as report:
            return plugins.wait(plugin_id, report)


def _conclude(output: Output, report: Any, learned: dict[str, Any], status: Response | None, batch_only: bool) -> None:
    from mixpeek.contract.features import FeatureUri

    version = learned["version"]
    # A bumped version has other addresses than the manifest says.
    uris = [str(FeatureUri(learned["name"], version, FeatureUri.parse(uri).feature)) for uri in learned["features"]]
    state = None if status is None else str(status.get("status"))
    failed = state == "FAILED" or (state == "NOT_DEPLOYED" and not batch_only)
    document = report.document(**{**learned, "features": uris, "status": state, "deployment": status})
    output.document({**document, "success": not failed})
    if status is not None:
        text = str(status.get("error") or status.get("message") or "") if failed else str(status.get("message") or "")
        is_ready = state in {"DEPLOYED", "NOT_DEPLOYED"} and not failed
        detail = "for batches only" if batch_only and is_ready else state or ""
        output.check("Deployed" if is_ready or failed else "Deploying", "failed" if failed else "passed", detail)
        output.quote(text)
    if failed:
        output.say("The version is published; deploy it again with `mixpeek plugin publish` after a repair", "bold red")
        raise typer.Exit(1)
    output.show(learned["plugin_id"])
    for uri in uris:
        output.show(uri)
