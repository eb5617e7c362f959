"""`python -m scripts.reference [--check] [FOLDER]`: write docs/reference, or only say which pages are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.reference import cli, diagrams, errors, http, plugin_api, rules, sdk, settings

INTO = Path(__file__).parents[2] / "docs" / "reference"
PAGES = {
    "cli.md": cli.page,
    "errors.md": errors.page,
    "settings.md": settings.page,
    "rules.md": rules.page,
    "plugin-api.md": plugin_api.page,
    "sdk.md": sdk.page,
}


def main(arguments: list[str]) -> int:
    """Write every page that differs; with `--check`, write none, name them on stderr and return 1."""
    check = "--check" in arguments
    into = next((Path(argument) for argument in arguments if not argument.startswith("-")), INTO)
    texts = {**{name: page() for name, page in PAGES.items()}, **http.pages(), **diagrams.pages()}
    pages = {into / name: text for name, text in texts.items()}
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if check and stale:
        sys.stderr.write(f"out of date: {', '.join(path.name for path in stale)}; run `make reference`\n")
        return 1
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
