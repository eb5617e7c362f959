"""Hook of mkdocs: pages that live outside docs/, links that lead outside it, diagrams within the page.

Pages are written to be read in the repository too, so what only the site needs is changed here, while it is built.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
DIAGRAMS = ROOT / "docs" / "reference" / "diagrams"
# Pages of the site made of files beside docs/: from the root of the repository, into docs/.
BORROWED = {"CHANGELOG.md": "changelog.md", "benchmarks/README.md": "benchmarks.md"}
LINK = re.compile(r"(?<!!)\[(?P<words>[^\]]*)\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```|<!--.*?-->)", re.DOTALL | re.MULTILINE)
IMAGE = re.compile(r'<p>\s*<img alt="[^"]*" src="[^"]*diagrams/(?P<name>[\w-]+)\.svg"\s*/?>\s*</p>')
STYLE = re.compile(r"<style>.*?</style>\n?", re.DOTALL)


def on_config(config: Any) -> Any:
    """Put the decisions into the navigation, in order."""
    section = next(item["Decisions"] for item in config.nav if "Decisions" in item)
    section += [f"decisions/{page.name}" for page in sorted((ROOT / "docs" / "decisions").glob("0*.md"))]
    return config


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages that live outside docs/."""
    for source, page in BORROWED.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Have links lead to the pages of the site; what the site does not have is named by its path in the source."""
    uri = page.file.src_uri
    folder = PurePosixPath(source_of(uri)).parent
    parts = FENCE.split(markdown)
    parts[::2] = [LINK.sub(lambda link: _led(link, folder, uri), part) for part in parts[::2]]
    return "".join(parts)


def on_page_content(html: str, *, page: Any, config: Any, files: Any) -> str:
    """Put diagrams into the page, where they have its colours."""
    return IMAGE.sub(lambda image: f'<figure class="diagram">{_drawn(image["name"])}</figure>', html)


def source_of(uri: str) -> str:
    """Return the path in the repository of a page of the site."""
    return next((source for source, page in BORROWED.items() if page == uri), f"docs/{uri}")


def _led(link: re.Match[str], folder: PurePosixPath, uri: str) -> str:
    words, target = link["words"], link["target"]
    if "://" in target or target.startswith(("#", "mailto:")):
        return link[0]
    path, _, fragment = target.partition("#")
    place = _resolved(folder / path)
    page = BORROWED.get(place) or (place.removeprefix("docs/") if place.startswith("docs/") else None)
    if page is None:
        code = f"`{place}`"
        return code if words.strip("`").rstrip("/") in place else f"{words} ({code} in the source)"
    above = "../" * uri.count("/")
    return f"[{words}]({above}{page}{'#' * bool(fragment)}{fragment})"


def _resolved(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _drawn(name: str) -> str:
    return STYLE.sub("", (DIAGRAMS / f"{name}.svg").read_text(encoding="utf-8"))
