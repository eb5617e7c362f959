"""One examination of one plugin: structure, rules, manifest, dependencies, pipeline; everything found, in one list.

Plugin code runs in a host only, and only once the rules have nothing against it; until then what manifest.py writes
out in full is checked as text, so that one report says all that can be known.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mixpeek.contract.manifest import Manifest
from mixpeek.contract.versions import NAME_PATTERN, normalise_version
from mixpeek.errors import PluginError
from mixpeek.examination.environment import (
    check_environment,
    installed_beside,
    is_import_failure,
    left_to_building,
    needed_too_early,
)
from mixpeek.examination.examination import Examination
from mixpeek.examination.failures import finding_from_failure
from mixpeek.examination.files import manifest_text, read_files
from mixpeek.examination.package_name import package_name
from mixpeek.execution.port import DESCRIBE_TIMEOUT_S, Execution, Host, HostSpec, LogOrigin, Step
from mixpeek.inspection.archive import UnpackedArchive
from mixpeek.inspection.findings import Finding, Severity, error, has_errors, in_order, warning
from mixpeek.inspection.manifest import PATH, check_manifest, check_manifest_text
from mixpeek.inspection.manifest_source import ManifestSource
from mixpeek.inspection.severities import NO_OVERRIDES, Overrides

_REALTIME = "realtime.py"
_PIPELINE = "pipeline.py"
# More are refused by name; no package of theirs needs to be looked for.
_MAX_DEPENDENCIES = 200


async def examine(
    execution: Execution,
    unpacked: UnpackedArchive,
    *,
    expected_name: str | None = None,
    expected_version: str | None = None,
    uid: int | None = None,
    extra_paths: tuple[Path, ...] = (),
    timeout_s: float = DESCRIBE_TIMEOUT_S,
    is_built_later: bool = False,
    overrides: Overrides = NO_OVERRIDES,
    origin: LogOrigin | None = None,
    background: bool = True,
    cleared: Callable[[], None] | None = None,
    keep: Callable[[Host], None] | None = None,
) -> Examination:
    """Return everything found in an unpacked plugin.

    Args:
        execution: where hosts come from.
        expected_name, expected_version: what the manifest must say, if the caller knows.
        uid: the user the host runs as; None leaves it to the sandbox.
        extra_paths: folders of modules that the host may import from as well.
        timeout_s: how long each of manifest.py, `build_steps` and realtime.py may take.
        is_built_later: whether declared packages that are not installed here will be, before the plugin is used.
        overrides: the severities of rules that do not have their own.
        origin: where the host's output is kept; None keeps none of it.
        background: whether the host leaves the processor to everybody else first.
        cleared: called once neither structure nor rules have an error, before any of the plugin's code is run.
        keep: told the host in the end, if it lives, instead of closing it: who is told must close it.
    Raises: PlatformError: a host could not be started for a reason that is not the plugin's.
    """
    # Parsing is work for the processor; the loop this runs on answers others meanwhile.
    text = await asyncio.to_thread(manifest_text, unpacked.root)
    source = await asyncio.to_thread(ManifestSource.read, text)
    name = package_name(unpacked.name, source.text("feature_extractor_name"), expected_name)
    seen = _Seen(unpacked, name, text, source, is_built_later=is_built_later)
    structure, code, secrets = await asyncio.to_thread(read_files, unpacked, overrides)
    seen.findings += [*structure, *code, *secrets]
    if text is not None and not has_errors(code):
        spec = HostSpec(plugin_dir=unpacked.root, name=name, uid=uid, extra_paths=extra_paths, origin=origin)
        spec = replace(spec, background=background)
        if cleared is not None and not has_errors(structure):
            cleared()
        await seen.ask_host(_Hosts(execution, spec, timeout_s, keep), is_whole=not has_errors(structure))
    await seen.read_text()
    seen.compare(expected_name, expected_version)
    return seen.result()


def package_of(unpacked: UnpackedArchive) -> str:
    """Return the name hosts import a plugin under, where the caller expects none."""
    source = ManifestSource.read(manifest_text(unpacked.root))
    return package_name(unpacked.name, source.text("feature_extractor_name"))


@dataclass
class _Hosts:
    """The host of one examination, started anew when plugin code has ended the one before."""

    execution: Execution
    spec: HostSpec
    timeout_s: float
    keep: Callable[[Host], None] | None = None
    host: Host | None = None

    async def living(self) -> Host:
        if self.host is None or not self.host.alive:
            await self.close()
            self.host = await self.execution.start(self.spec)
        return self.host

    async def close(self) -> None:
        if self.host is not None:
            await self.host.close()

    async def end(self) -> None:
        if self.keep is not None and self.host is not None and self.host.alive:
            self.keep(self.host)
        else:
            await self.close()


class _Seen:
    """What one examination has found so far."""

    def __init__(
        self,
        unpacked: UnpackedArchive,
        package: str,
        text: bytes | None,
        source: ManifestSource,
        *,
        is_built_later: bool,
    ) -> None:
        self._is_built_later = is_built_later
        self._lacks_packages = False
        self.findings: list[Finding] = []
        self._unpacked = unpacked
        self._package = package
        self._text = text
        self._source = source
        self._raw: Mapping[str, Any] | None = None
        self._manifest: Manifest | None = None
        self._realtime: str | None = None
        self._steps: tuple[Step, ...] = ()
        self._took_s: dict[str, float] = {}

    @contextlib.contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._took_s[what] = time.perf_counter() - began

    async def ask_host(self, hosts: _Hosts, *, is_whole: bool) -> None:
        """Run manifest.py, then, if nothing the plugin needs is missing, `build_steps` and realtime.py."""
        try:
            await hosts.living()
        except PluginError as failure:
            self.findings.append(finding_from_failure(failure, "host.start", PATH))
            return
        try:
            await self._describe(hosts)
            if is_whole and self._raw is not None:
                await self._build(hosts, self._raw)
            if is_whole and (self._unpacked.root / _REALTIME).is_file():
                await self._find_handler(hosts)
        finally:
            await hosts.end()

    async def read_text(self) -> None:
        """Check what manifest.py says as text, unless a host has said what it comes to."""
        if self._raw is None and self._text is not None:
            self._raw, findings = await asyncio.to_thread(check_manifest_text, self._source)
            self.findings += findings

    async def _describe(self, hosts: _Hosts) -> None:
        try:
            host = await hosts.living()
            with self._timed("manifest"):
                description = await host.describe("manifest", timeout_s=hosts.timeout_s)
        except PluginError as failure:
            is_early = self._is_built_later and is_import_failure(failure)
            told = needed_too_early if is_early else finding_from_failure
            self._add(told(failure, "manifest.cannot_be_read", PATH))
            return
        self._raw = description.manifest
        self._manifest, findings = await asyncio.to_thread(check_manifest, description.manifest, self._text)
        self.findings += findings
        declared = description.manifest.get("dependencies")
        if isinstance(declared, list):
            texts = [text if isinstance(text, str) else "" for text in declared[:_MAX_DEPENDENCIES]]
            installed = installed_beside(hosts.spec.extra_paths)
            lacking = check_environment(texts, self._source, installed, is_built_later=self._is_built_later)
            self._lacks_packages = bool(lacking)
            self.findings += lacking

    async def _find_handler(self, hosts: _Hosts) -> None:
        try:
            host = await hosts.living()
            with self._timed("realtime"):
                self._realtime = (await host.describe("realtime", timeout_s=hosts.timeout_s)).realtime
        except PluginError as failure:
            self._add(self._failed(failure, "realtime.cannot_be_read", _REALTIME))

    async def _build(self, hosts: _Hosts, raw: Mapping[str, Any]) -> None:
        """Build the pipeline with default parameters."""
        name, version = str(raw.get("feature_extractor_name", ""))[:100], str(raw.get("version", ""))[:100]
        try:
            host = await hosts.living()
            with self._timed("pipeline"):
                steps = await host.build({}, feature_extractor_name=name, version=version, timeout_s=hosts.timeout_s)
        except PluginError as failure:
            schema = raw.get("parameter_schema")
            required = schema.get("required") if isinstance(schema, Mapping) else None
            # Parameters that have no default make a build without them fail by the author's own wish.
            severity = Severity.WARNING if required else Severity.ERROR
            self._add(self._failed(failure, "pipeline.build_failed", _PIPELINE, severity))
            return
        self._steps = tuple(steps)
        if not self._steps:
            self.findings.append(
                warning(
                    "pipeline.no_steps",
                    "`build_steps` returns no steps",
                    path=_PIPELINE,
                    hint="Return at least one StepDefinition under `steps`",
                )
            )

    def _failed(self, failure: PluginError, rule: str, path: str, severity: Severity = Severity.ERROR) -> Finding:
        """Return the finding for a failure; one that a package still to be installed may repair is left to then."""
        if self._is_built_later and self._lacks_packages and is_import_failure(failure):
            return left_to_building(failure, path)
        return finding_from_failure(failure, rule, path, severity)

    def _add(self, finding: Finding) -> None:
        """Add a failure, unless another file has failed at the same line of the same module before."""
        said = {(known.path, known.line, known.message) for known in self.findings}
        if finding.line is None or (finding.path, finding.line, finding.message) not in said:
            self.findings.append(finding)

    def compare(self, name: str | None, version: str | None) -> None:
        """Check the manifest's name and version against those the caller expects."""
        raw = self._raw or {}
        declared_name, declared_version = raw.get("feature_extractor_name"), raw.get("version")
        # A name or version that is none has a finding of its own.
        if (
            isinstance(declared_name, str)
            and NAME_PATTERN.fullmatch(declared_name)
            and name not in (None, declared_name)
        ):
            self._differs("feature_extractor_name", "manifest.other_name", declared_name, str(name))
        if version is not None and isinstance(declared_version, str) and not _same(declared_version, version):
            self._differs("version", "manifest.other_version", declared_version, version)

    def _differs(self, key: str, rule: str, declared: str, expected: str) -> None:
        line, column = self._source.place(key) or (None, None)
        self.findings.append(
            error(
                rule,
                f"`{key}` is {declared[:100]!r} in the manifest, and {expected!r} was asked for",
                hint=f"Make them agree: write {expected!r} in manifest.py, or ask for {declared[:100]!r}",
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
            took_s=self._took_s,
        )


def _same(declared: str, expected: str) -> bool:
    try:
        return normalise_version(declared) == normalise_version(expected)
    except ValueError:
        return True  # a version that cannot be read has its own finding
