"""Benign plugins of the corpus in the real host: what the scan lets pass, nothing else refuses either."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from factories.samples import BENIGN, benign_plugin
from mixpeek.examination.examine import examine
from mixpeek.examination.files import examine_files
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.inspection.archive import read_archive
from mixpeek.inspection.findings import Severity
from mixpeek.inspection.pack import pack_directory

# One in three, which has all three dialects; the scan alone sees every one of them.
EXAMINED = BENIGN[::3]


@pytest.fixture(scope="module")
def hosts() -> Iterator[BlockingExecution]:
    with BlockingExecution() as execution:
        yield execution


@pytest.mark.parametrize("sample", EXAMINED, ids=lambda sample: sample.name)
def test_a_benign_plugin_passes_the_whole_examination(tmp_path: Path, hosts: BlockingExecution, sample: Path) -> None:
    unpacked = read_archive(BytesIO(pack_directory(benign_plugin(sample, tmp_path))), tmp_path / "files")

    examination = hosts.call(examine(hosts.execution, unpacked))

    assert examination.findings == ()
    assert len(examination.steps) == 1


def test_an_examination_takes_the_severities_that_an_operator_set(tmp_path: Path) -> None:
    folder = benign_plugin(EXAMINED[0], tmp_path)
    (folder / "__init__.py").write_text("import threading\n\nthreading.Thread(target=print)\n")
    unpacked = read_archive(BytesIO(pack_directory(folder)), tmp_path / "files")

    examination = examine_files(unpacked, {"security.threading": Severity.ERROR})

    assert ("security.threading", True) in {(one.rule, one.is_error) for one in examination.findings}
