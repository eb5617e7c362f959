"""Recorded terminal sessions for the documentation: real commands against a real server, drawn as SVG by rich.

`python -m scripts.recordings` runs each session in a folder of its own, in a terminal of 100 columns, and writes
`docs/assets/terminal/NAME.svg`. Ids and times are those of that run.
"""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from factories.servers import API_KEY, Server, surroundings  # noqa: E402

RECORDED = ROOT / "docs" / "assets" / "terminal"
COLUMNS = 100
# Rich names a font on the network; a site that is read offline takes what the reader has.
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
 font-size: {char_height}px; line-height: {line_height}px }} {styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


@dataclass(frozen=True)
class Session:
    """What is typed, line by line, in a folder of its own."""

    name: str
    lines: tuple[str, ...]


def from_template(
    category: str, properties: Sequence[str], fill: Sequence[str], search: str, maps: str = ""
) -> Session:
    """Return the way from a template to a search that finds one of its samples."""
    plugin, bucket, collection = f"my_{category}", f"{category}_files", f"by_{category}"
    declared = " ".join(f"-p {name}" for name in properties)
    return Session(
        category,
        (
            f"mixpeek plugin init {plugin} --category {category}",
            f"mixpeek plugin test --path {plugin}",
            f"mixpeek plugin publish --path {plugin}",
            f"mixpeek bucket create {bucket} {declared}",
            *(line.format(bucket=bucket, samples=f"{plugin}/samples") for line in fill),
            f"mixpeek collection create {collection} -b {bucket} -e {plugin}@1.0.0{maps}",
            f"mixpeek collection trigger {collection} --wait",
            f"mixpeek search {search} -c {collection} --limit 3",
        ),
    )


FILES = ("mixpeek bucket upload {bucket} {samples}",)
NOTES = (
    """printf '{{"note": "%s"}}\\n' 'Prune roses in winter' 'Merge sort is stable' 'Rye needs time' > notes.jsonl""",
    "mixpeek bucket upload {bucket} notes.jsonl",
)
CAPTIONED = (
    """mixpeek bucket upload {bucket} {samples}/sunset.jpg --metadata '{{"caption": "The sun sets over the sea"}}'""",
    """mixpeek bucket upload {bucket} {samples}/forest.png --metadata '{{"caption": "Fir trees in the mist"}}'""",
)
SESSIONS = (
    from_template("text", ["note=text"], NOTES, '"gardening" --mode vector', " --map text=note --keep note"),
    from_template("image", ["image=image"], FILES, "--like my_image/samples/sunset.jpg"),
    from_template("audio", ["audio=audio"], FILES, "--like my_audio/samples/rain.ogg"),
    from_template("video", ["video=video"], FILES, "--like my_video/samples/evening.mp4"),
    from_template("document", ["pdf=pdf"], FILES, '"How often do tomatoes need water?" --mode vector'),
    from_template(
        "multimodal", ["picture=image", "caption=string"], CAPTIONED, '"dusk at the ocean" --mode vector',
        " --map image=picture --map text=caption --keep caption",
    ),
)  # fmt: skip


def run(line: str, folder: Path, environment: dict[str, str]) -> str:
    """Return what a line prints in a terminal; it must succeed."""
    ours, theirs = pty.openpty()
    command = ["/bin/sh", "-c", line]
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        printed = b""
        while True:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    printed += os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
            elif process.poll() is not None:
                break
    os.close(ours)
    text = printed.decode().replace("\r\n", "\n")
    assert process.returncode == 0, f"`{line}` ended with {process.returncode}:\n{text}"
    return left_of(text)


def left_of(printed: str) -> str:
    """Return what a terminal shows in the end: lines are written over and taken away, as those of a progress bar."""
    lines, row = [""], 0
    for piece in re.split(r"(\n|\r|\x1b\[1A|\x1b\[2K|\x1b\[\?25[lh])", printed.rstrip("\n")):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece == "\x1b[1A":
            row = max(0, row - 1)
        elif piece in ("\r", "\x1b[2K"):
            lines[row] = ""
        elif not piece.startswith("\x1b[?25"):
            lines[row] += piece
    return "\n".join(lines).rstrip("\n")


def record(session: Session, environment: dict[str, str]) -> None:
    """Run a session and draw it."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder:
        for line in session.lines:
            console.print(Text.assemble(("$ ", "green"), (line, "bold")))
            console.print(Text.from_ansi(run(line, Path(folder), environment)))
    RECORDED.mkdir(parents=True, exist_ok=True)
    drawn = console.export_svg(title="", code_format=FORMAT, unique_id=f"terminal-{session.name}")
    (RECORDED / f"{session.name}.svg").write_text(drawn)


def main() -> None:
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        try:
            for session in SESSIONS:
                if chosen and session.name not in chosen:
                    continue
                with server.start().client() if server.process is None else server.client() as client:
                    namespace = client.namespace or ""
                path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
                environment = surroundings(
                    MIXPEEK_API_KEY=API_KEY, MIXPEEK_BASE_URL=server.url, MIXPEEK_NAMESPACE=namespace, PATH=path,
                    COLUMNS=str(COLUMNS), TERM="xterm-256color",
                )  # fmt: skip
                environment.pop("NO_COLOR")
                record(session, environment)
        finally:
            server.discard()


if __name__ == "__main__":
    main()
