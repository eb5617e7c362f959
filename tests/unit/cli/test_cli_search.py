"""What `mixpeek search` prints of an execution."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.cli.output import Output
from mixpeek.cli.search import show_execution

HINT = "--keep FIELD"


def execution(**fields: Any) -> dict[str, Any]:
    document = {"document_id": "doc_1", "score": 0.5, "features": {}, **fields}
    return {"documents": [document], "warnings": [], "aggregations": None}


@pytest.mark.parametrize(
    ("fields", "is_hinted"),
    [
        ({}, True),
        ({"year": 2020}, True),
        ({"text": "a cat on a mat"}, False),
        ({"_internal": {"source_blobs": [{"filename": "cat.png"}]}}, False),
    ],
)
def test_where_no_text_is_kept_it_is_said_how_to_keep_some(
    fields: dict[str, Any], is_hinted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    show_execution(Output(), execution(**fields))

    printed = capsys.readouterr()
    assert (HINT in " ".join(printed.err.split())) is is_hinted
    assert "doc_1" in printed.out
