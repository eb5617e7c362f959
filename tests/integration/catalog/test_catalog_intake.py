"""Content on its way in: fetched and stored before anything is written, and the same content stored once."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from factories import files
from factories.local_server import Answer, LocalServer
from mixpeek.catalog.errors import ContentTooLarge, SourceUnavailable
from mixpeek.catalog.fetching import Fetcher
from mixpeek.catalog.intake import Intake
from mixpeek.catalog.schemas import CreateObject
from mixpeek.catalog.sources import SourceHosts
from mixpeek.errors import InvalidRequest
from mixpeek.objects.assets import key_from_asset_url

PHOTO = files.png(4, 3)


def body(url: str) -> CreateObject:
    return CreateObject.model_validate({"blobs": [{"property": "photo", "type": "image", "data": url}]})


def with_source(intake: Intake, source: LocalServer) -> Intake:
    hosts = SourceHosts.from_setting(source.url.removeprefix("http://"))
    return replace(intake, fetcher=Fetcher(hosts, intake.limit_bytes))


def test_what_an_address_leads_to_is_stored_when_the_object_is_made(intake: Intake, make_bucket: Any) -> None:
    bucket = make_bucket()
    with LocalServer() as source:
        source.on("GET /old.png", Answer(b"", 302, {"Location": "/a%20fox.png"}))
        source.on("GET /a%20fox.png", Answer(PHOTO, headers={"Content-Type": "binary/octet-stream"}))
        draft = with_source(intake, source).draft(bucket, body(f"{source.url}/old.png?signature=s"))
        address = f"{source.url}/old.png"

    (blob,) = draft.blobs
    key = key_from_asset_url(blob["data"])
    assert key is not None
    assert key.endswith("/a_fox.png")
    assert b"".join(intake.objects.read(key)) == PHOTO
    assert blob["details"]["mime_type"] == "image/png"
    # Without the query, which often is a signature that opens more than this.
    assert draft.sources == [{"source_url": address, "content_type": "binary/octet-stream"}]


def test_a_source_that_fails_leaves_nothing_behind(intake: Intake, make_bucket: Any) -> None:
    bucket = make_bucket()
    with LocalServer() as source, pytest.raises(SourceUnavailable, match="404"):
        with_source(intake, source).draft(bucket, body(f"{source.url}/none.png"))

    assert intake.objects.list("") == []


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({}, f"data:image/png;base64,{b64encode(files.pdf()).decode()}"),
        ({"isbn": 5}, f"data:image/png;base64,{b64encode(PHOTO).decode()}"),
        ({"isbm": "5"}, f"data:image/png;base64,{b64encode(PHOTO).decode()}"),
    ],
)
def test_nothing_is_stored_for_an_object_that_cannot_be(
    intake: Intake, make_bucket: Any, fields: dict[str, Any], data: str
) -> None:
    body = {"blobs": [{"property": "photo", "type": "image", "data": data}], **fields}

    with pytest.raises(InvalidRequest):
        intake.draft(make_bucket(), CreateObject.model_validate(body))

    assert intake.objects.list("") == []


def test_content_over_the_limit_is_refused(intake: Intake, make_bucket: Any) -> None:
    small = replace(intake, limit_bytes=10)
    data = "data:image/png;base64," + "A" * 400

    with pytest.raises(ContentTooLarge):
        small.draft(make_bucket(), body(data))

    assert intake.objects.list("") == []


def test_the_same_content_is_stored_once_in_a_namespace_and_apart_in_another(intake: Intake, make_bucket: Any) -> None:
    data = f"data:image/png;base64,{b64encode(PHOTO).decode()}"
    one, other = make_bucket(), make_bucket()

    for bucket in (one, one, other):
        intake.draft(bucket, body(data))

    keys = [key for key, _ in intake.objects.list("")]
    assert len(keys) == 2
    assert {key.split("/")[1] for key in keys} == {one.namespace_id, other.namespace_id}
