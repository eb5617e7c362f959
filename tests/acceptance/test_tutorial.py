"""The tutorial, executed verbatim and in order against a server of its own, and the output shown there compared."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import httpx
import pytest

from factories.servers import MIXPEEK, surroundings
from factories.waiting import until

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
BACKGROUND = "<!-- in the background, until it is ready -->\n"
END_OF_BLOCK = "::end of block::"
# Scores of int8 models differ a little from processor to processor.
SCORE_TOLERANCE = 0.1
SCORE = re.compile(r"(?<![\d.])-?\d\.\d\d(?![\d.])")


@dataclass(frozen=True)
class Block:
    """One block of code, and the output the page shows below it."""

    language: str
    code: str
    in_background: bool
    shown: str


def blocks_of_page() -> list[Block]:
    found = re.finditer(
        rf"(?P<mark>{re.escape(BACKGROUND)})?^```(?P<language>bash|python)\n(?P<code>.*?)^```\n"
        r"(?:\n^```text\n(?P<shown>.*?)^```\n)?",
        TUTORIAL.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    return [Block(one["language"], one["code"], one["mark"] is not None, one["shown"] or "") for one in found]


def line_shows(shown: str, line: str) -> bool:
    """Tell whether a line of output is what the page shows: `…` is anything, and scores need only be near."""
    words = re.escape(SCORE.sub("<score>", " ".join(shown.split())))
    pattern = words.replace("…", ".*").replace("<score>", SCORE.pattern)
    if not re.fullmatch(pattern, " ".join(line.split())):
        return False
    pairs = zip(SCORE.findall(shown), SCORE.findall(line), strict=False)
    return all(abs(float(expected) - float(printed)) <= SCORE_TOLERANCE for expected, printed in pairs)


def assert_shows(shown: str, output: str) -> None:
    """Every line shown is in the output, in that order; the output may have others in between."""
    lines = iter(output.splitlines())
    for expected in filter(str.strip, shown.splitlines()):
        assert any(line_shows(expected, line) for line in lines), f"{expected!r} is not in its place in:\n{output}"


@dataclass
class Served:
    """The server of the block in the background."""

    log: Path
    process: subprocess.Popen[bytes]

    def address(self) -> str:
        """Return where it serves, "" until it has said so."""
        assert self.process.poll() is None, self.log.read_text()
        found = re.search(r"serving on (http://\S+)", self.log.read_text())
        return found[1] if found else ""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tutorial"
    made.mkdir()
    return made


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    block = blocks_of_page()[0]
    log = folder.parent / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/bash", "-c", block.code], cwd=folder, env=environment(MIXPEEK_PORT="0"), stdout=output, stderr=output
        )
    try:
        yield Served(log, process)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(40)
    assert code == 0


def environment(**variables: str) -> dict[str, str]:
    """Return a shell's environment in which `mixpeek` and `python` are the ones under test."""
    own = surroundings(PYTHONUNBUFFERED="1", **variables)
    return {**own, "PATH": f"{Path(MIXPEEK).parent}:{own['PATH']}"}


def script_of(blocks: list[Block], folder: Path) -> str:
    """Return one bash script, as one terminal: blocks of Python that follow each other are one session of Python."""
    lines = ["set -euo pipefail"]
    for number, (language, run) in enumerate(groupby(blocks, key=lambda block: block.language)):
        if language == "bash":
            lines += [f"{block.code}echo '{END_OF_BLOCK}'" for block in run]
        else:
            session = folder.parent / f"session_{number}.py"
            session.write_text("".join(f"{block.code}print({END_OF_BLOCK!r})\n" for block in run), encoding="utf-8")
            lines.append(f"python {session}")
    return "\n".join(lines)


def test_the_tutorial_does_what_it_shows(folder: Path, served: Served) -> None:
    first, *others = blocks_of_page()
    assert first.in_background
    assert not any(block.in_background for block in others)
    url = until(served.address, what="the server says where it serves", within_s=60)
    until(lambda: is_ready(url), what="the server is ready", within_s=60)

    done = subprocess.run(
        ["/bin/bash", "-c", script_of(others, folder)],
        cwd=folder,
        env=environment(MIXPEEK_BASE_URL=url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert_shows(first.shown, served.log.read_text().replace(url, "http://127.0.0.1:8000"))
    outputs = done.stdout.split(f"{END_OF_BLOCK}\n")
    for block, output in zip(others, outputs[:-1], strict=True):
        assert_shows(block.shown, output)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("✓ Tests    … passed in …", "✓ Tests  21 passed in 2.01s", True),
        ("bread: 0.31  Sourdough", "bread: 0.33  Sourdough", True),
        ("bread: 0.31  Sourdough", "bread: 0.53  Sourdough", False),
        ("5 objects", "4 objects", False),
        ("my_extractor 1.0.0", "my_extractor 1.0.1", False),
    ],
)
def test_output_is_compared_by_words_and_scores_by_nearness(shown: str, printed: str, same: bool) -> None:
    assert line_shows(shown, printed) is same


def test_no_block_of_the_tutorial_is_left_out() -> None:
    fences = re.findall(r"^```(\w+)$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE)
    blocks = blocks_of_page()

    assert len(blocks) == fences.count("bash") + fences.count("python")
    assert sum(1 for block in blocks if block.shown) == fences.count("text")
