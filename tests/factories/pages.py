"""The pages of the documentation: their blocks, and a run of all of them in one shell, in order.

- `bash` is run. What `text` shows right below has to be printed, in that order: `…` is anything, lines may be left out.
- `python` is run as a script; below `<!-- in manifest.py -->` it is read as a part of a manifest, below
  `<!-- in a plugin -->` it is executed as plugin code.
- `json` is written into the file, or sent with the request (`POST /v1/…`), that the line before names last.
- `yaml` is parsed.
- Anything below `<!-- not run: why -->` or `<!-- output -->` is left alone.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from factories.commands import find_command
from factories.servers import API_KEY, MIXPEEK, Server, surroundings
from mixpeek import Mixpeek
from mixpeek.contract.manifest import Manifest

DOCS = Path(__file__).resolve().parents[2] / "docs"
RUN = ("bash", "python", "json", "yaml")
SHOWN = ("", "text")  # drawings and output
END_OF_BLOCK = "::end of block::"
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```\n"
    r"(?:\n^```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
PLACE = re.compile(r"`(?P<place>[^`]+)`[^`]*$")


@dataclass(frozen=True)
class Block:
    """One block: where it is, what it is, the comment above it, the words before it and the output shown below it."""

    line: int
    language: str
    code: str
    mark: str
    before: str
    shown: str

    @property
    def is_left_alone(self) -> bool:
        return self.mark == "output" or re.match(r"not run: \S+", self.mark) is not None


def blocks_of(page: Path) -> list[Block]:
    """Return every block of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            line=text.count("\n", 0, found.start()) + 1,
            language=found["language"],
            code=found["code"],
            mark=found["mark"] or "",
            before=(text[: found.start()].rstrip().splitlines() or [""])[-1],
            shown=found["shown"] or "",
        )
        for found in BLOCK.finditer(text)
    ]


def run_page(page: Path, server: Server, client: Mixpeek, folder: Path, **variables: str) -> str:
    """Run a page in `folder`, as the client's namespace; return all that was printed."""
    blocks = [block for block in blocks_of(page) if block.language in RUN and not block.is_left_alone]
    lines, shown, plugin = ["set -euo pipefail"], [], dict[str, Any]()
    for block in blocks:
        command = _command(block, folder, plugin)
        if command is not None:
            lines += [command, f"echo '{END_OF_BLOCK}'"]
            shown.append(block)
    own = surroundings(
        MIXPEEK_API_KEY=API_KEY, MIXPEEK_BASE_URL=server.url, MIXPEEK_NAMESPACE=client.namespace or "", **variables
    )
    done = subprocess.run(
        ["/bin/bash", "-c", "\n".join(lines)],
        cwd=folder,
        env={**own, "PATH": f"{find_command().parent}:{Path(MIXPEEK).parent}:{own['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for block, output in zip(shown, done.stdout.split(f"{END_OF_BLOCK}\n"), strict=False):
        _assert_shows(block.shown, output)
    return done.stdout


def _command(block: Block, folder: Path, plugin: dict[str, Any]) -> str | None:
    """Return the shell's part of a block, None for what was done here and now."""
    if block.language == "bash":
        return block.code
    if block.language == "yaml":
        assert yaml.safe_load(block.code)
        return None
    if block.language == "json":
        return _sent(block, folder)
    if block.mark == "in manifest.py":
        names: dict[str, Any] = {}
        exec(compile(block.code, "manifest.py", "exec"), names)
        names.pop("__builtins__")
        Manifest(feature_extractor_name="on_the_page", version="1.0.0", **names)
        return None
    if block.mark == "in a plugin":
        exec(compile(block.code, "plugin.py", "exec"), plugin)
        return None
    script = folder / f"block_{block.line}.py"
    script.write_text(block.code, encoding="utf-8")
    return f"python {script.name}"


def _sent(block: Block, folder: Path) -> str | None:
    found = PLACE.search(block.before)
    assert found, f"line {block.line}: the line before says neither a file nor a request"
    json.loads(block.code)
    if found["place"].endswith(".json"):
        (folder / found["place"]).write_text(block.code, encoding="utf-8")
        return None
    method, path = found["place"].split()
    body = folder / f"body_{block.line}.json"
    body.write_text(block.code, encoding="utf-8")
    headers = '-H "Authorization: Bearer $MIXPEEK_API_KEY" -H "X-Namespace: $MIXPEEK_NAMESPACE"'
    sent = f"-X {method} {headers} -H 'Content-Type: application/json' -d @{body.name}"
    return f'curl -sS --fail-with-body {sent} "$MIXPEEK_BASE_URL{path}"; echo'


def _assert_shows(shown: str, output: str) -> None:
    printed = iter(output.splitlines())
    for line in shown.splitlines():
        pattern = re.escape(" ".join(line.split())).replace("…", ".*")
        assert any(re.fullmatch(pattern, " ".join(each.split()).rstrip(",")) for each in printed), (
            f"{line!r} is not in its place in:\n{output}"
        )
