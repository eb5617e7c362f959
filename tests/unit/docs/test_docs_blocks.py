"""Every block of the documentation is executed by a test, or says plainly that it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from factories.pages import DOCS, RUN, SHOWN, Block, blocks_of

ACCEPTANCE = DOCS.parent / "tests" / "acceptance"
# Which test executes the blocks of a page; whatever has no test may only hold blocks that are left alone.
TESTS = {
    "README.md": "test_acceptance_howto_pages.py",
    "tutorial.md": "test_tutorial.py",
    "search.md": "test_acceptance_search_howto.py",
    "write-a-media-extractor.md": "test_acceptance_templates.py",
    "receive-webhooks.md": "test_acceptance_webhooks.py",
    "upgrade-a-collection.md": "test_acceptance_data_howto.py",
    "work-with-data-from-the-command-line.md": "test_acceptance_data_howto.py",
    **dict.fromkeys(
        (
            *(
                "check-a-plugin.md",
                "chain-collections.md",
                "filter-documents.md",
                "put-objects-into-a-bucket.md",
                "read-a-plugins-logs.md",
            ),
            *("read-assets-and-secrets-in-a-plugin.md", "run-a-batch.md", "serve-in-realtime.md"),
            *("watch-the-platform.md", "what-a-plugin-may-use.md"),
        ),
        "test_acceptance_howto_pages.py",
    ),
}
# Made from the code: rules are tested with their samples, examples of routes with their schemas.
MADE = DOCS / "reference"
PAGES = [DOCS.parent / "README.md", *(page for page in sorted(DOCS.rglob("*.md")) if MADE not in page.parents)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_is_run_or_says_that_it_is_not(page: Path) -> None:
    blocks = blocks_of(page)
    left = [f"{page.name}:{block.line} ({block.language})" for block in blocks if not _is_accounted_for(page, block)]

    assert left == [], "executed by no test; see factories/pages.py for what can be run, and how to mark the rest"
    assert page.read_text(encoding="utf-8").count("\n```") == 2 * len(blocks) + 2 * sum(bool(b.shown) for b in blocks)


@pytest.mark.parametrize("page", TESTS)
def test_the_test_of_a_page_reads_it(page: str) -> None:
    assert any(path.name == page for path in PAGES)
    assert page in (ACCEPTANCE / TESTS[page]).read_text(encoding="utf-8")


def _is_accounted_for(page: Path, block: Block) -> bool:
    if block.language in SHOWN or block.is_left_alone:
        return True
    return page.name in TESTS and block.language in RUN
