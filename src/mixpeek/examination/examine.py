"""One examination of one plugin: structure, rules, manifest, dependencies, pipeline; everything found, in one list.

Plugin code runs in a host only, and only once its structure and code have no errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixpeek.contract.manifest import Manifest
from mixpeek.contract.versions import normalise_version
from mixpeek.errors import PluginError
from mixpeek.examination.environment import check_environment, installed_beside
from mixpeek.examination.failures import finding_from_failure
from mixpeek.examination.package_name import package_name
from mixpeek.execution.port import Execution, Host, HostSpec, Step
from mixpeek.inspection.archive import ArchivedFile, UnpackedArchive
from mixpeek.inspection.findings import Finding, Severity, error, has_errors, in_order, warning
from mixpeek.inspection.manifest import PATH, check_manifest
from mixpeek.inspection.manifest_source import ManifestSource
from mixpeek.inspection.scan import scan
from mixpeek.inspection.structure import check_structure

_REALTIME = "realtime.py"


@dataclass(frozen=True)
class Examination:
    """What an examination found.

    ``manifest`` is None if it has errors or was not reached; ``realtime`` is the style of realtime.py's handler, or
    None; ``steps`` are those built with default parameters; ``package`` is the name hosts import the plugin under.
    """

    findings: tuple[Finding, ...]
    manifest: Manifest | None
    realtime: str | None
    steps: tuple[Step, ...]
    code_hash: str
    files: tuple[ArchivedFile, ...]
    package: str

    @property
    def passed(self) -> bool:
        """Tell whether no finding is an error."""
        return not has_errors(self.findings)


async def examine(
    execution: Execution,
    unpacked: UnpackedArchive,
    *,
    expected_name: str | None = None,
    expected_version: str | None = None,
    uid: int | None = None,
    extra_paths: tuple[Path, ...] = (),
) -> Examination:
    """Return everything found in an unpacked plugin.

    Args:
        expected_name, expected_version: what the manifest must say, if the caller knows.
        uid: the user the host runs as; None leaves it to the sandbox.
        extra_paths: folders of modules that the host may import from as well.
    Raises: PlatformError: a host could not be started for a reason that is not the plugin's.
    """
    source_text = _manifest_text(unpacked.root)
    source = ManifestSource.read(source_text)
    name = package_name(unpacked.name, source.text("feature_extractor_name"), expected_name)
    seen = _Seen(unpacked, name)
    # Parsing is work for the processor; the loop this runs on answers others meanwhile.
    seen.findings += await asyncio.to_thread(_read, unpacked.root)
    if not has_errors(seen.findings):
        spec = HostSpec(plugin_dir=unpacked.root, name=name, uid=uid, extra_paths=extra_paths)
        await seen.ask_host(execution, spec, source_text)
        seen.compare(source, expected_name, expected_version)
    return seen.result()


def _read(root: Path) -> list[Finding]:
    return [*check_structure(root), *scan(root)]


def _manifest_text(root: Path) -> str | None:
    path = root / PATH
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


class _Seen:
    """What one examination has found so far."""

    def __init__(self, unpacked: UnpackedArchive, package: str) -> None:
        self.findings: list[Finding] = []
        self._unpacked = unpacked
        self._package = package
        self._raw: Mapping[str, Any] = {}
        self._manifest: Manifest | None = None
        self._realtime: str | None = None
        self._steps: tuple[Step, ...] = ()

    async def ask_host(self, execution: Execution, spec: HostSpec, source_text: str | None) -> None:
        try:
            host = await execution.start(spec)
        except PluginError as failure:
            self.findings.append(finding_from_failure(failure, "host.start", PATH))
            return
        try:
            if await self._describe(host, spec, source_text):
                await self._build(host)
        finally:
            await host.close()

    async def _describe(self, host: Host, spec: HostSpec, source_text: str | None) -> bool:
        """Read the manifest; tell whether the host still answers."""
        try:
            description = await host.describe()
        except PluginError as failure:
            self.findings.append(_unreadable(failure))
            return False
        self._raw, self._realtime = description.manifest, description.realtime
        source = ManifestSource.read(source_text)
        self._manifest, findings = check_manifest(description.manifest, source_text)
        self.findings += findings
        declared = description.manifest.get("dependencies")
        if isinstance(declared, list):
            texts = [text if isinstance(text, str) else "" for text in declared]
            self.findings += check_environment(texts, source, installed_beside(spec.extra_paths))
        return True

    async def _build(self, host: Host) -> None:
        """Build the pipeline with default parameters."""
        name, version = str(self._raw.get("feature_extractor_name", "")), str(self._raw.get("version", ""))
        try:
            steps = await host.build({}, feature_extractor_name=name, version=version)
        except PluginError as failure:
            schema = self._raw.get("parameter_schema")
            required = schema.get("required") if isinstance(schema, Mapping) else None
            # Parameters that have no default make a build without them fail by the author's own wish.
            severity = Severity.WARNING if required else Severity.ERROR
            self.findings.append(finding_from_failure(failure, "pipeline.build_failed", "pipeline.py", severity))
            return
        self._steps = tuple(steps)
        if not self._steps:
            self.findings.append(
                warning(
                    "pipeline.no_steps",
                    "`build_steps` returns no steps",
                    path="pipeline.py",
                    hint="Return at least one StepDefinition under `steps`",
                )
            )

    def compare(self, source: ManifestSource, name: str | None, version: str | None) -> None:
        """Check the manifest's name and version against those the caller expects."""
        declared_name, declared_version = self._raw.get("feature_extractor_name"), self._raw.get("version")
        if name is not None and isinstance(declared_name, str) and declared_name != name:
            self._differs(source, "feature_extractor_name", "manifest.other_name", declared_name, name)
        if version is not None and isinstance(declared_version, str) and not _same(declared_version, version):
            self._differs(source, "version", "manifest.other_version", declared_version, version)

    def _differs(self, source: ManifestSource, key: str, rule: str, declared: str, expected: str) -> None:
        line, column = source.place(key) or (None, None)
        self.findings.append(
            error(
                rule,
                f"`{key}` is {declared!r} in the manifest, and {expected!r} was asked for",
                hint=f"Make them agree: write {expected!r} in manifest.py, or ask for {declared!r}",
                path=PATH,
                line=line,
                column=column,
            )
        )

    def result(self) -> Examination:
        return Examination(
            findings=tuple(in_order(self.findings)),
            manifest=self._manifest,
            realtime=self._realtime,
            steps=self._steps,
            code_hash=self._unpacked.code_hash,
            files=self._unpacked.files,
            package=self._package,
        )


def _unreadable(failure: PluginError) -> Finding:
    """Return the finding for a failed `describe`, which imports manifest.py and, if there is one, realtime.py."""
    frames = failure.details.get("frames") or []
    # Without frames (a reply that cannot be used) only the message says which of the two it was.
    is_realtime = frames[0].get("file") == _REALTIME if frames else _REALTIME in failure.message
    if is_realtime:
        return finding_from_failure(failure, "realtime.cannot_be_read", _REALTIME)
    return finding_from_failure(failure, "manifest.cannot_be_read", PATH)


def _same(declared: str, expected: str) -> bool:
    try:
        return normalise_version(declared) == normalise_version(expected)
    except ValueError:
        return True  # a version that cannot be read has its own finding
