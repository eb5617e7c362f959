"""Files and rows on their way into a bucket: which, what they are called, and that nothing is sent twice."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from factories.local_server import Answer, LocalServer, refusal
from mixpeek import AsyncMixpeek, Mixpeek
from mixpeek.client import ServerUnreachable
from mixpeek.client.files import FileSent, LocalFile, files_in
from mixpeek.client.rows import rows_in
from mixpeek.errors import InvalidRequest

UPLOADS = "/v1/buckets/bkt_1/uploads"
SCHEMA = {"properties": {"n": {"type": "integer"}, "price": {"type": "float"}, "sold": {"type": "boolean"}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    (made / "deep").mkdir(parents=True)
    (made / ".git").mkdir()
    for name, text in {"b.txt": "b", "deep/a.pdf": "a", ".hidden": "h", ".git/config": "g"}.items():
        (made / name).write_text(text)
    return made


@pytest.fixture
def accepting(server: LocalServer) -> LocalServer:
    server.on(f"POST {UPLOADS}", {"upload_id": "upl_1", "presigned_url": f"{server.url}/put/1", "is_duplicate": False})
    server.on("PUT /put/1", Answer(b"", headers={"ETag": '"abc"'}))
    server.on(f"POST {UPLOADS}/upl_1/confirm", {"upload_id": "upl_1", "object_id": "obj_1"})
    return server


def test_a_folder_gives_its_files_by_name_without_hidden_ones(folder: Path) -> None:
    found = files_in([folder, folder / ".hidden"])

    assert [file.name for file in found] == [".hidden", "b.txt", "deep/a.pdf"]
    assert [file.content_type for file in found[1:]] == ["text/plain", "application/pdf"]


def test_a_path_that_is_not_there_and_two_files_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("another")

    with pytest.raises(InvalidRequest, match="does not exist"):
        files_in([tmp_path / "nothing"])
    with pytest.raises(InvalidRequest, match=r"would both be called 'b\.txt'"):
        files_in([folder, tmp_path / "b.txt"])


def test_a_file_is_announced_by_its_hash_sent_and_confirmed(
    accepting: LocalServer, client: Mixpeek, folder: Path
) -> None:
    sent = client.buckets.upload_file("bkt_1", files_in([folder])[0], blob_property="page", metadata={"lang": "en"})

    place, put, confirm = accepting.asked
    assert place.json == {
        "filename": "b.txt",
        "content_type": "text/plain",
        "file_size_bytes": 1,
        "file_hash": hashlib.sha256(b"b").hexdigest(),
        "blob_property": "page",
        "object_metadata": {"lang": "en"},
        "create_object_on_confirm": True,
        "skip_duplicates": True,
    }
    assert (put.content, put.headers["content-length"], put.headers.get("authorization")) == (b"b", "1", None)
    assert confirm.json == {"etag": "abc", "file_size_bytes": 1}
    assert (sent.outcome, sent.object_id) == ("sent", "obj_1")


def test_a_file_that_the_bucket_has_is_not_sent(accepting: LocalServer, client: Mixpeek, folder: Path) -> None:
    accepting.on(f"POST {UPLOADS}", {"upload_id": "upl_2", "presigned_url": None, "object_id": "obj_7"})

    outcomes = list(client.buckets.upload_files("bkt_1", files_in([folder])))

    assert [(each.outcome, each.object_id) for each in outcomes] == [("present", "obj_7")] * 2
    assert set(accepting.routes()) == {f"POST {UPLOADS}"}


def test_one_file_that_is_refused_or_gone_does_not_keep_the_others(
    accepting: LocalServer, client: Mixpeek, folder: Path
) -> None:
    place = {"upload_id": "upl_1", "presigned_url": f"{accepting.url}/put/1"}
    accepting.on(f"POST {UPLOADS}", refusal(422, "ValidationError", "No such property"), place)
    files = [*files_in([folder]), LocalFile(folder / "gone", "gone")]

    async def upload() -> list[FileSent]:
        async with AsyncMixpeek(base_url=accepting.url) as twin:
            return [each async for each in twin.buckets.upload_files("bkt_1", files, at_once=1)]

    outcomes = asyncio.run(upload())

    assert sorted(each.outcome for each in outcomes) == ["failed", "failed", "sent"]
    assert {type(each.error).__name__ for each in outcomes} == {"ApiError", "FileNotFoundError", "NoneType"}


def test_a_server_that_is_gone_ends_the_upload(folder: Path) -> None:
    with Mixpeek(base_url="http://127.0.0.1:9", max_retries=0) as client, pytest.raises(ServerUnreachable):
        list(client.buckets.upload_files("bkt_1", files_in([folder])))


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("r.jsonl", '{"n": 1}\n\n{"n": 2}\n', [{"n": 1}, {"n": 2}]),
        (
            "r.csv",
            "n,price,sold,word\n1,2.5,yes,\n2,,false,a b\n",
            [{"n": 1, "price": 2.5, "sold": True}, {"n": 2, "sold": False, "word": "a b"}],
        ),
        ("r.csv", '\ufeffword\n"two\nlines"\n', [{"word": "two\nlines"}]),
    ],
)
def test_rows_are_read_as_the_bucket_declares_them(tmp_path: Path, name: str, text: str, rows: Any) -> None:
    (tmp_path / name).write_text(text)

    assert list(rows_in(tmp_path / name, SCHEMA)) == rows


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("r.jsonl", '{"n": 1}\n{"n": \n', "line 2 is no JSON"),
        ("r.jsonl", "[1]\n", "line 1 is JSON, but no object"),
        ("r.csv", "n\n1\nx\n", "line 3 is not right: 'x' is no integer, as 'n' is declared"),
        ("r.csv", "sold\nmaybe\n", "'maybe' is no boolean"),
        ("r.csv", "n\n1,2\n", "line 2 is longer than the header"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(InvalidRequest, match=words):
        list(rows_in(tmp_path / name, SCHEMA))
