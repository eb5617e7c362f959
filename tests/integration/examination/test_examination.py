"""Examinations of real plugins, from archive bytes to findings, with the real host in its sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from mixpeek.examination.examination import Examination
from mixpeek.examination.examine import examine
from mixpeek.examination.files import examine_files
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.execution.port import DESCRIBE_TIMEOUT_S
from mixpeek.inspection.archive import describe_folder, read_archive
from mixpeek.inspection.pack import pack_directory

SAMPLE = Path(__file__).parents[2] / "contract" / "s2_sample" / "my_extractor"

MANIFEST = """\
metadata = {
    "feature_extractor_name": "word_count",
    "version": "v1",
    "description": "Counts words",
    "category": "text",
}
features = [{"feature_name": "words", "feature_type": "value"}]
"""
PIPELINE = """\
from engine.plugins.extractors.pipeline import PipelineDefinition, StepDefinition, build_pipeline_steps


class Counter:
    def __call__(self, batch):
        batch["words"] = batch["data"].str.split().str.len()
        return batch


def build_steps(extractor_request, **kwargs):
    pipeline = PipelineDefinition("word_count", "1.0.0", [StepDefinition(Counter)])
    return {"steps": build_pipeline_steps(pipeline)}
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[BlockingExecution]:
    with BlockingExecution() as execution:
        yield execution


class Examiner:
    """Writes, packs, unpacks and examines a plugin; files not named are those of a plugin without faults."""

    def __init__(self, hosts: BlockingExecution, folder: Path) -> None:
        self._hosts = hosts
        self._folder = folder

    def __call__(
        self,
        folder: str = "word_count",
        *,
        name: str | None = None,
        version: str | None = None,
        timeout_s: float = DESCRIBE_TIMEOUT_S,
        **files: str,
    ) -> Examination:
        source = self._folder / "source" / folder
        for stem, text in {"manifest": MANIFEST, "pipeline": PIPELINE, **files}.items():
            path = source / f"{stem.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        return self.examine(source, name=name, version=version, timeout_s=timeout_s)

    def examine(
        self,
        source: Path,
        *,
        name: str | None = None,
        version: str | None = None,
        timeout_s: float = DESCRIBE_TIMEOUT_S,
    ) -> Examination:
        unpacked = read_archive(pack_directory(source), self._folder / "unpacked")
        work = examine(
            self._hosts.execution, unpacked, expected_name=name, expected_version=version, timeout_s=timeout_s
        )
        return self._hosts.call(work)


@pytest.fixture
def check(hosts: BlockingExecution, tmp_path: Path) -> Examiner:
    return Examiner(hosts, tmp_path)


def places(seen: Examination) -> list[tuple[str, str]]:
    return [(finding.rule, finding.place) for finding in seen.findings]


def test_the_documented_sample_passes_without_an_error(check: Examiner) -> None:
    seen = check.examine(SAMPLE)

    assert [finding for finding in seen.findings if finding.is_error] == []
    assert seen.passed
    assert seen.manifest is not None
    assert seen.manifest.feature_extractor_name == "my_extractor"
    assert seen.manifest.embeddings[0].embedding_dim == 384
    assert seen.realtime == "predict"
    assert [step.name for step in seen.steps] == ["MyProcessor"]
    assert [file.path for file in seen.files] == ["manifest.py", "pipeline.py", "processors/core.py", "realtime.py"]


def test_a_plugin_without_faults_has_no_finding(check: Examiner) -> None:
    seen = check(name="word_count", version="1.0.0")

    assert seen.findings == ()
    assert seen.manifest is not None
    assert seen.manifest.version == "1.0.0"
    assert seen.realtime is None
    assert len(seen.code_hash) == 64


@pytest.mark.parametrize("folder", ["my-plugin 2", "json", "pandas", "2nd"])
def test_the_folder_may_have_any_name(check: Examiner, folder: str) -> None:
    assert check(folder).findings == ()


def test_code_with_forbidden_patterns_is_never_run(check: Examiner) -> None:
    seen = check(processors__core="import subprocess\n", manifest="raise RuntimeError('this was run')\n")

    assert places(seen) == [("security.subprocess", "processors/core.py:1:8")]
    assert seen.manifest is None
    assert seen.steps == ()


def test_structure_and_code_are_reported_together(check: Examiner) -> None:
    seen = check(pipeline="x = eval('1')\n", shared__tools="def broken(:\n")

    assert [rule for rule, _ in places(seen)] == [
        "structure.no_build_steps",
        "security.eval",
        "structure.reserved_folder",
        "code.syntax",
    ]


def test_an_exception_at_import_is_a_finding_at_the_authors_line(check: Examiner) -> None:
    seen = check(manifest="from .processors.core import SIZE\n", processors__core="import math\n\nSIZE = 1 / 0\n")

    assert places(seen) == [("manifest.cannot_be_read", "processors/core.py:3")]
    assert "ZeroDivisionError" in seen.findings[0].message


def test_a_missing_module_at_import_says_how_to_declare_it(check: Examiner) -> None:
    seen = check(pipeline="import nowhere_to_be_found\n\n" + PIPELINE)

    (finding,) = seen.findings
    assert (finding.rule, finding.place) == ("pipeline.build_failed", "pipeline.py:1")
    assert "nowhere_to_be_found" in finding.message
    assert "`dependencies`" in finding.hint


def test_a_module_missing_only_inside_a_function_is_not_an_error(check: Examiner) -> None:
    late = PIPELINE.replace("        batch[", "        import nowhere_to_be_found\n        batch[")

    assert check(pipeline=late).findings == ()


def test_every_fault_of_the_manifest_is_said_with_its_line(check: Examiner) -> None:
    seen = check(
        manifest="""\
        feature_extractor_name = "word_count"
        version = "1.0.0"
        features = [
            {"name": "embedding", "type": "embedding", "dimensions": 3},
        ]
        dependencies = ["nowhere_to_be_found>=2", "pydantic>=2", "pydantic>=999"]
        """
    )

    assert seen.manifest is None
    assert places(seen) == [
        ("manifest.unknown_key", "manifest.py:4:6"),
        ("manifest.unknown_key", "manifest.py:4:27"),
        ("manifest.unknown_key", "manifest.py:4:48"),
        ("dependencies.not_installed", "manifest.py:6:17"),
        ("dependencies.not_installed", "manifest.py:6:58"),
    ]
    assert "did you mean `embedding_dim`?" in seen.findings[2].message


def test_a_manifest_that_says_another_name_or_version_is_an_error(check: Examiner) -> None:
    seen = check(name="other_name", version="2.0.0")

    assert places(seen) == [("manifest.other_name", "manifest.py:2:5"), ("manifest.other_version", "manifest.py:3:5")]


def test_an_exception_in_build_steps_is_a_finding_at_its_line(check: Examiner) -> None:
    seen = check(pipeline="def build_steps(request):\n    steps = {}\n    return steps['first']\n")

    assert places(seen) == [("pipeline.build_failed", "pipeline.py:3")]
    assert seen.manifest is not None


def test_parameters_without_defaults_make_a_failed_build_a_warning(check: Examiner) -> None:
    seen = check(
        manifest=MANIFEST + "parameter_schema = {'required': ['model'], 'properties': {'model': {}}}\n",
        pipeline="def build_steps(request):\n    return request.parameters['model']\n",
    )

    assert places(seen) == [("pipeline.build_failed", "pipeline.py:2")]
    assert seen.passed


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"pipeline": "def build_steps(request):\n    return None\n"}, ("pipeline.build_failed", "pipeline.py")),
        ({"pipeline": "def build_steps(request):\n    return {'steps': []}\n"}, ("pipeline.no_steps", "pipeline.py")),
        ({"manifest": "import os\nos._exit(3)\n"}, ("manifest.cannot_be_read", "manifest.py")),
        ({"manifest": MANIFEST + "input_schema = 3\n"}, ("manifest.invalid_value", "manifest.py:8:1")),
        ({"realtime": "x = 1\n"}, ("realtime.cannot_be_read", "realtime.py")),
        ({"realtime": "x = 1\nimport nowhere\n"}, ("realtime.cannot_be_read", "realtime.py:2")),
    ],
)
def test_what_a_host_cannot_use_is_a_finding(check: Examiner, files: dict[str, str], expected: tuple[str, str]) -> None:
    seen = check(**files)

    assert [found for found in places(seen) if not found[0].startswith("security.")] == [expected]


def test_the_same_plugin_examined_twice_gives_the_same_result(
    check: Examiner, hosts: BlockingExecution, tmp_path: Path
) -> None:
    first = check(pipeline=PIPELINE + "\nimport multiprocessing\n")

    again = hosts.call(examine(hosts.execution, describe_folder(tmp_path / "unpacked" / "word_count")))

    assert again == first
    assert first.passed
    assert [finding.rule for finding in first.findings] == ["security.multiprocessing"]


WRONG_KEYS = """\
feature_extractor_name = "word_count"
version = "1.0.0"
features = [{"feature_name": "words", "feature_type": "embedding", "dimensions": 3}]
"""


@pytest.mark.parametrize(
    ("realtime", "place"),
    [
        ("x = 1\nraise RuntimeError('broken')\n", "realtime.py:2"),
        ("class Nothing: ...\n", "realtime.py"),
        ("import os\nos._exit(3)\n", "realtime.py"),
        ("while True:\n    pass\n", "realtime.py"),
    ],
    ids=["raises", "no handler", "ends", "never ends"],
)
def test_a_broken_realtime_hides_nothing_that_the_manifest_says(check: Examiner, realtime: str, place: str) -> None:
    seen = check(manifest=WRONG_KEYS, realtime=realtime, timeout_s=2.0)

    assert [found for found in places(seen) if not found[0].startswith("security.")] == [
        ("manifest.unknown_key", "manifest.py:3:68"),
        ("realtime.cannot_be_read", place),
    ]


@pytest.mark.parametrize(
    "manifest",
    ["raise RuntimeError('broken')\n", "import os\nos._exit(3)\n"],
    ids=["raises", "ends"],
)
def test_a_manifest_that_cannot_be_run_hides_neither_its_text_nor_realtime(check: Examiner, manifest: str) -> None:
    seen = check(manifest=WRONG_KEYS + manifest, realtime="x = 1\n", timeout_s=3.0)

    rules = [rule for rule, _ in places(seen) if not rule.startswith("security.")]
    assert sorted(rules) == ["manifest.cannot_be_read", "manifest.unknown_key", "realtime.cannot_be_read"]


def test_with_forbidden_code_the_text_of_the_manifest_is_checked_all_the_same(check: Examiner) -> None:
    seen = check(
        manifest=WRONG_KEYS + "dependencies = ['-r x.txt']\nraise RuntimeError('this was run')\n",
        processors__core="import subprocess\n",
        name="other_name",
        version="2.0.0",
    )

    assert places(seen) == [
        ("manifest.other_name", "manifest.py:1:1"),
        ("manifest.other_version", "manifest.py:2:1"),
        ("manifest.unknown_key", "manifest.py:3:68"),
        ("dependencies.invalid", "manifest.py:4:17"),
        ("security.subprocess", "processors/core.py:1:8"),
    ]


def test_what_text_and_run_both_show_is_said_once(check: Examiner, tmp_path: Path) -> None:
    seen = check(manifest=WRONG_KEYS)

    read_only = examine_files(describe_folder(tmp_path / "unpacked" / "word_count"))

    assert places(seen) == places(read_only) == [("manifest.unknown_key", "manifest.py:3:68")]


def test_with_a_file_missing_the_manifest_is_read_and_nothing_built(check: Examiner) -> None:
    seen = check(manifest=WRONG_KEYS, pipeline="x = 1\n", realtime="raise RuntimeError('this was run')\n")

    assert [rule for rule, _ in places(seen)] == ["manifest.unknown_key", "structure.no_build_steps"]


def test_an_import_that_fails_for_several_files_is_said_once(check: Examiner) -> None:
    seen = check(
        pipeline="from .processors.core import SIZE\n" + PIPELINE,
        realtime="from .processors.core import SIZE\n",
        processors__core="SIZE = 1 / 0\n",
    )

    assert [place for _, place in places(seen)] == ["processors/core.py:1"]


def test_likely_secrets_are_part_of_every_examination(check: Examiner) -> None:
    # Put together here, so that no tool that reads this file takes it for the thing itself.
    seen = check(processors__core="KEY = 'sk_" + "live_51Hq8ZxR2eZvKYlo2C0aBcDe'\n")

    assert places(seen) == [("secret.api_key", "processors/core.py:1:8")]
