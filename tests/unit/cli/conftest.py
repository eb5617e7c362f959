"""Runs command lines as `mixpeek` does, in this process, against a local server where one is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from factories.commands import Command, Ran
from factories.local_server import LocalServer
from mixpeek.cli.app import run


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MIXPEEK_API_KEY", "MIXPEEK_NAMESPACE", "MIXPEEK_BASE_URL", "MIXPEEK_API_URL", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mix(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return call


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running
