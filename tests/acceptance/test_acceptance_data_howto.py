"""The pages on data from the command line, each executed in order, and the output shown there compared."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from factories.files import pdf
from factories.platform import publish
from factories.plugins import MakePlugin
from factories.servers import API_KEY, MIXPEEK, Server, surroundings
from mixpeek import Mixpeek

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto"
BLOCK = re.compile(
    r"^```(?P<language>bash|python)\n(?P<code>.*?)^```\n"
    r"(?:\n^```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
END_OF_BLOCK = "::end of block::"


@dataclass(frozen=True)
class Block:
    """One block of code that is run, and the output the page shows below it."""

    language: str
    code: str
    shown: str


def blocks_of(page: str) -> list[Block]:
    found = BLOCK.finditer((HOWTO / page).read_text(encoding="utf-8"))
    return [Block(each["language"], each["code"], each["shown"] or "") for each in found]


def test_the_page_on_data_does_what_it_shows(
    server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    publish(client, make_plugin("my_extractor"))
    (tmp_path / "pdfs").mkdir()
    for pages in (1, 2):
        (tmp_path / "pdfs" / f"{pages}.pdf").write_bytes(pdf(pages))

    execute("work-with-data-from-the-command-line.md", server, client, tmp_path)


def test_the_page_on_upgrades_does_what_it_shows(
    server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    publish(client, make_plugin("my_extractor"))
    publish(client, make_plugin("my_extractor", into="next", version="2.0.0", dimension=16), version="2.0.0")

    execute("upgrade-a-collection.md", server, client, tmp_path)


def execute(page: str, server: Server, client: Mixpeek, tmp_path: Path) -> None:
    """Run a page's blocks in one shell, and hold what each prints against the output shown below it."""
    blocks = blocks_of(page)
    own = surroundings(MIXPEEK_API_KEY=API_KEY, MIXPEEK_BASE_URL=server.url, MIXPEEK_NAMESPACE=client.namespace or "")
    lines = ["set -euo pipefail"]
    for number, block in enumerate(blocks):
        code = block.code
        if block.language == "python":
            (tmp_path / f"block_{number}.py").write_text(code, encoding="utf-8")
            code = f"python block_{number}.py\n"
        lines.append(f"{code}echo '{END_OF_BLOCK}'")

    done = subprocess.run(
        ["/bin/bash", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env={**own, "PATH": f"{Path(MIXPEEK).parent}:{own['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    for block, output in zip(blocks, done.stdout.split(f"{END_OF_BLOCK}\n"), strict=False):
        printed = iter(output.splitlines())
        for line in block.shown.splitlines():
            pattern = re.escape(" ".join(line.split())).replace("…", ".*")
            assert any(re.fullmatch(pattern, f"{' '.join(each.split())}".rstrip(",")) for each in printed), (
                f"{line!r} is not in its place in:\n{output}"
            )
