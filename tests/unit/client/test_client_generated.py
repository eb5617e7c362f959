"""The client that blocks is made from the one that awaits, and says so when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts import sync_client


def test_the_client_that_blocks_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert sync_client.main(["--check"]) == 0, capsys.readouterr().err


def test_a_module_that_differs_or_has_no_source_is_named_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sync_client.INTO.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "tasks.py").write_text("something else")
    (tmp_path / "left_over.py").write_text("no source")
    monkeypatch.setattr(sync_client, "INTO", tmp_path)

    assert sync_client.main(["--check"]) == 1

    assert "out of date: tasks.py, left_over.py;" in capsys.readouterr().err
    assert (tmp_path / "tasks.py").read_text() == "something else"


@pytest.mark.parametrize(
    ("awaits", "blocks"),
    [
        ("async def f() -> None:\n    await g()\n", "def f() -> None:\n    g()\n"),
        ("async with a as b:\n    pass\n", "with a as b:\n    pass\n"),
        ("x: Callable[[int], Awaitable[list[int]]]\n", "x: Callable[[int], list[int]]\n"),
        ("x = [await one(i) for i in (1, 2)]\n", "x = [one(i) for i in (1, 2)]\n"),
        ('# await, as a comment says\nx = "async"\n', '# await, as a comment says\nx = "async"\n'),
        ("from mixpeek.client.aio.a import b\n\nb()\n", "from mixpeek.client.sync.a import b\n\nb()\n"),
    ],
)
def test_only_words_of_the_language_and_names_with_a_twin_change(awaits: str, blocks: str) -> None:
    assert sync_client.sync_from(awaits, "x.py").split("\n", 1)[1].lstrip("\n") == blocks
