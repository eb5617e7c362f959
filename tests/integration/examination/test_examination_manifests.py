"""Every manifest of `tests/samples/manifests`, read by a real host: exactly the findings it says it expects.

Those that only declare something wrong share one host; those that attack have one each, in a whole examination.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from mixpeek.errors import PluginError
from mixpeek.examination.examine import examine
from mixpeek.examination.failures import finding_from_failure
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.port import HostSpec
from mixpeek.inspection.archive import describe_folder
from mixpeek.inspection.findings import Finding
from mixpeek.inspection.manifest import PATH, check_manifest, check_manifest_text
from mixpeek.inspection.manifest_source import ManifestSource

SAMPLES = Path(__file__).parents[2] / "samples" / "manifests"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.py"))
WITH_A_HOST_EACH = ("hostile_", "run_", "fine_", "old_tool_")
PIPELINE = "def build_steps(request, **kwargs):\n    return [lambda batch: batch]\n"
# Reads one manifest after another as `describe` reads manifest.py, in the same process and behind the same walls.
READER = """
    import types
    from mixpeek.host.describe import read_manifest

    class RealtimeHandler:
        def predict(self, request):
            module = types.ModuleType("manifest")
            exec(request["source"], vars(module))
            return read_manifest(module)
"""
# Long enough for a slow machine, short enough for those that never end.
TIMEOUT_S = 4.0
AT_ONCE = 4

Findings = dict[str, list[Finding]]


def source_of(name: str) -> str:
    return (SAMPLES / f"{name}.py").read_text()


def expected(name: str) -> list[str]:
    first = source_of(name).partition("\n")[0]
    assert first.startswith("# expect:"), first
    return [rule for rule in first.removeprefix("# expect:").replace(",", " ").split() if rule]


def write(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in {"pipeline": PIPELINE, **files}.items():
        (folder / f"{name}.py").write_text(dedent(text))
    return folder


def read_by(host: BlockingHost, source: str) -> list[Finding]:
    try:
        raw = host.predict({"source": source})
    except PluginError as failure:
        return [finding_from_failure(failure, "manifest.cannot_be_read", PATH)]
    return check_manifest(raw, source)[1]


async def examined(hosts: BlockingExecution, root: Path, names: list[str]) -> Findings:
    """Examine each as a whole plugin, a few at a time, those that never end beside each other."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> list[Finding]:
        folder = write(root / name, manifest=source_of(name))
        async with free:
            return list((await examine(hosts.execution, describe_folder(folder), timeout_s=TIMEOUT_S)).findings)

    return dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Findings]:
    root = tmp_path_factory.mktemp("manifests")
    alone = sorted((name for name in NAMES if name.startswith(WITH_A_HOST_EACH)), reverse=True)
    with BlockingExecution() as hosts:
        findings = hosts.call(examined(hosts, root, alone))
        reader = hosts.start(HostSpec(write(root / "reader", manifest="", realtime=READER), "reader"))
        shared = {name: read_by(reader, source_of(name)) for name in NAMES if name not in findings}
        yield {**findings, **shared}


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_manifest_has_the_findings_it_expects(name: str, found: Findings) -> None:
    # What its code may not do is for the samples of the rules to say.
    findings = [finding for finding in found[name] if not finding.rule.startswith("security.")]

    assert sorted({finding.rule for finding in findings}) == sorted(expected(name)), findings
    assert {finding.path for finding in findings} <= {"manifest.py"}
    assert all(finding.hint and finding.message.isprintable() and len(finding.message) <= 2000 for finding in findings)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_text_shows_is_nothing_that_a_run_denies(name: str, found: Findings) -> None:
    _, shown = check_manifest_text(ManifestSource.read(source_of(name)))

    if not {"manifest.cannot_be_read", "manifest.too_deep"} & set(expected(name)):
        assert set(shown) <= set(found[name])
    elif name.startswith(WITH_A_HOST_EACH):
        assert set(shown) <= set(found[name]), "what cannot be run is checked as text"


def test_there_are_samples_of_every_kind() -> None:
    refused = [name for name in NAMES if expected(name)]

    assert len(refused) >= 40
    assert len(NAMES) - len(refused) >= 5
