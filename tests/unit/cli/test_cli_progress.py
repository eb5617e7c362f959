"""What a progress bar reads from an answer of the server."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.cli.output import Output
from mixpeek.cli.progress import counts_of, speed_of, status_bar, upload_bar


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": "PENDING"}, (0, None)),
        ({"additional_data": {"progress": {"objects": 10, "objects_committed": 4, "rows": 99}}}, (4, 10)),
        ({"outputs": {"objects": 3, "objects_committed": 3}}, (3, 3)),
        ({"progress": {"processed_documents": 1, "total_documents": 2}}, (1, 2)),
        ({"additional_data": None, "outputs": "x", "progress": {"objects": "many"}}, (0, None)),
    ],
)
def test_counts_come_from_wherever_the_answer_holds_them(answer: dict[str, Any], expected: tuple[int, Any]) -> None:
    assert counts_of(answer) == expected


def test_a_batch_says_how_fast_it_goes_and_why_it_waits(capsys: pytest.CaptureFixture[str]) -> None:
    progress = {"rows_per_s": 1234.5, "eta_s": 61.2, "paused": {"cause": "disk_full"}}

    with status_bar(Output(), "btch_1") as report:
        report({"status": "IN_PROGRESS", "progress": progress})

    assert speed_of({"progress": progress}) == ", 1,234 rows/s, 61 s left"
    assert speed_of({"progress": {"rows_per_s": None}}) == speed_of({}) == ""
    assert capsys.readouterr().err == "  btch_1: IN_PROGRESS, waits: disk_full\n"


def test_in_json_mode_progress_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json_mode=True)

    with upload_bar(output, 100) as sent, status_bar(output, "Deploying x") as report:
        sent(50)
        report({"status": "QUEUED"})

    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_bars(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm-256color")

    with status_bar(Output(), "task_1") as report:
        report({"status": "PROCESSING", "additional_data": {"progress": {"objects": 1000, "objects_committed": 400}}})

    out, err = capsys.readouterr()
    assert out == ""
    assert "task_1: PROCESSING" in err
    assert "400 of 1,000" in err
