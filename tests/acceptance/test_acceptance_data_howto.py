"""The pages on data from the command line, each executed in order, and the output shown there compared."""

from __future__ import annotations

from pathlib import Path

from factories.files import pdf
from factories.pages import DOCS, run_page
from factories.platform import publish
from factories.plugins import MakePlugin
from factories.servers import Server
from mixpeek import Mixpeek

HOWTO = DOCS / "howto"


def test_the_page_on_data_does_what_it_shows(
    server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    publish(client, make_plugin("my_extractor"))
    (tmp_path / "pdfs").mkdir()
    for pages in (1, 2):
        (tmp_path / "pdfs" / f"{pages}.pdf").write_bytes(pdf(pages))

    run_page(HOWTO / "work-with-data-from-the-command-line.md", server, client, tmp_path)


def test_the_page_on_upgrades_does_what_it_shows(
    server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    publish(client, make_plugin("my_extractor"))
    publish(client, make_plugin("my_extractor", into="next", version="2.0.0", dimension=16), version="2.0.0")

    run_page(HOWTO / "upgrade-a-collection.md", server, client, tmp_path)
