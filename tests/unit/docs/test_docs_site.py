"""The documentation site is built offline, and every link of it leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# What a page has a browser load by itself; links that a reader follows may lead anywhere.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]+src=["']?([^"'\s>]+)|<link(?=[^>]+rel=["']?(?:stylesheet|icon|preload|preconnect|dns-prefetch))[^>]+href=["']?([^"'\s>]+)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, warnings being errors, with proxies that lead nowhere."""
    into = tmp_path_factory.mktemp("site")
    nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(into)],
        cwd=ROOT,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return into


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    loaded = {page.name: ["".join(one) for one in LOADED.findall(page.read_text(encoding="utf-8"))] for page in pages}

    assert len(pages) > 60
    assert any(loaded.values())
    assert {name: found for name, every in loaded.items() if (found := [one for one in every if "//" in one])} == {}
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_diagrams_are_part_of_the_page_and_say_what_they_show(site: Path) -> None:
    page = (site / "concepts" / "sandbox.html").read_text(encoding="utf-8")

    assert '<figure class="diagram"><svg' in page
    assert "trusted with nothing" in page
    assert re.search(r"<title>API and worker read an archive", page)


def test_what_the_site_does_not_have_is_named_by_its_path(site: Path) -> None:
    page = (site / "architecture" / "01-threat-model.html").read_text(encoding="utf-8")

    assert "<code>tests/samples/effects</code>" in page
    assert 'href="../reference/rules.html"' in page
