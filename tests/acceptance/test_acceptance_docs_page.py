"""The page at `/docs`: everything it loads comes from the server itself."""

from __future__ import annotations

import re

import httpx

from factories.servers import Server


def test_the_docs_page_loads_nothing_from_elsewhere(server: Server) -> None:
    page = httpx.get(f"{server.url}/docs")

    links = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
    assert page.status_code == 200
    assert links
    for link in links:
        assert link.startswith("/docs/assets/"), link
        assert httpx.get(f"{server.url}{link}").status_code == 200


def test_the_servers_address_leads_to_the_docs_page(server: Server) -> None:
    answer = httpx.get(server.url)

    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
