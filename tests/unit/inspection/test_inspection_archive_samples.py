"""Every hostile archive is refused for what it is, and every ordinary one is read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mixpeek.inspection.archive import ArchiveRefused, read_archive
from samples.archives import BENIGN, HOSTILE, Sample

_MOST_SECONDS = 5


def named(sample: Sample) -> str:
    return sample.name


@pytest.mark.parametrize("sample", HOSTILE, ids=named)
def test_a_hostile_archive_is_refused_and_leaves_nothing(sample: Sample, tmp_path: Path) -> None:
    archive = sample.build()
    started = time.process_time()

    with pytest.raises(ArchiveRefused) as caught:
        read_archive(archive, tmp_path / "into", sample.limits)

    assert {finding.rule for finding in caught.value.findings} == sample.rules
    assert all(finding.is_error and finding.hint and finding.message for finding in caught.value.findings)
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*")] == [Path("into")]
    assert time.process_time() - started < _MOST_SECONDS


@pytest.mark.parametrize("sample", BENIGN, ids=named)
def test_an_ordinary_archive_is_read(sample: Sample, tmp_path: Path) -> None:
    unpacked = read_archive(sample.build(), tmp_path / "into", sample.limits)

    assert unpacked.files
    assert all((unpacked.root / file.path).stat().st_size == file.size_bytes for file in unpacked.files)


def test_there_are_enough_samples_of_each_kind() -> None:
    assert len(HOSTILE) >= 60
    assert len(BENIGN) >= 12
    assert len({sample.name for sample in (*HOSTILE, *BENIGN)}) == len(HOSTILE) + len(BENIGN)
