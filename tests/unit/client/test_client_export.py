"""Documents into files: every one of them, in one type a column, and no half file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factories.local_server import LocalServer, refusal
from mixpeek import AsyncMixpeek, Mixpeek
from mixpeek.client import ApiError
from mixpeek.client.exporting import writer_into

ROUTE = "POST /v1/collections/col_1/documents/list"
FIRST = {"document_id": "a", "n": 1, "v": [0.5, 1.0], "tags": ["x"], "_internal": {"size": 1}, "odd": 1, "none": None}
SECOND = {"document_id": "b\u2028ä", "n": 2.5, "v": None, "_internal": {"size": 2, "path": "p"}, "odd": {"a": "text"}}


@pytest.fixture
def answering(server: LocalServer) -> LocalServer:
    server.on(
        ROUTE,
        {"results": [FIRST], "pagination": {"next_cursor": "c"}},
        {"results": [SECOND], "pagination": {"next_cursor": None}},
    )
    return server


def test_json_lines_hold_the_documents_as_they_came(answering: LocalServer, client: Mixpeek, tmp_path: Path) -> None:
    count = client.documents.export("col_1", tmp_path / "d.jsonl", return_vectors=True)

    lines = (tmp_path / "d.jsonl").read_text(encoding="utf-8").split("\n")
    assert count == 2
    assert [json.loads(line) for line in lines[:-1]] == [FIRST, SECOND]
    assert answering.asked[0].json == {"return_vectors": True}
    assert answering.asked[0].query == {"limit": "1000"}


def test_the_client_that_awaits_exports_too(answering: LocalServer, tmp_path: Path) -> None:
    async def export() -> int:
        async with AsyncMixpeek(base_url=answering.url) as client:
            return await client.documents.export("col_1", tmp_path / "d.parquet", format="parquet")

    assert asyncio.run(export()) == 2
    assert pq.read_table(tmp_path / "d.parquet").num_rows == 2


def test_parquet_has_one_type_a_column_and_json_text_where_there_is_none(tmp_path: Path) -> None:
    # Groups are of a thousand rows, so types must be found over several.
    rows: list[dict[str, Any]] = [*[FIRST] * 1000, *[SECOND] * 5]

    with writer_into(tmp_path / "d.parquet", "parquet") as writer:
        for row in rows:
            writer.add(row)
        writer.finish()

    table = pq.read_table(tmp_path / "d.parquet")
    assert table.num_rows == writer.count == 1005
    types = {field.name: field.type for field in table.schema}
    assert (types["n"], types["v"].value_type) == (pa.float64(), pa.float64())
    assert (types["odd"], types["none"]) == (pa.string(), pa.string())
    first, last = table.slice(0, 1).to_pylist()[0], table.slice(1004, 1).to_pylist()[0]
    assert (first["n"], first["odd"], last["n"], last["odd"]) == (1.0, "1", 2.5, '{"a": "text"}')
    assert last["document_id"] == SECOND["document_id"]
    assert (first["_internal"]["size"], last["_internal"]["path"]) == (1, "p")


def test_an_export_that_breaks_off_leaves_the_file_as_it_was(
    server: LocalServer, client: Mixpeek, tmp_path: Path
) -> None:
    server.on(ROUTE, {"results": [FIRST], "pagination": {"next_cursor": "c"}}, refusal(404, "NotFoundError", "gone"))
    (tmp_path / "d.jsonl").write_text("before")

    with pytest.raises(ApiError):
        client.documents.export("col_1", tmp_path / "d.jsonl")

    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]
    assert (tmp_path / "d.jsonl").read_text() == "before"
