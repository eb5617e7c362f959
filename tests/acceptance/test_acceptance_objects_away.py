"""The folder of archives and blobs moved away and back while a server uses it: away is told from not found."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from factories.asset_batches import SETTINGS, check_outage, publish_reader, upload_photo
from factories.servers import Server
from factories.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Server:  # type: ignore[misc]
    """A server of its own, whose folder of objects may be taken away."""
    own = Server(tmp_path / "data", SETTINGS)
    try:
        yield own.start()
    finally:
        own.discard()


def test_a_batch_waits_while_the_folder_is_away_and_goes_on_once_it_is_back(server: Server, tmp_path: Path) -> None:
    objects, elsewhere = server.data_dir / "objects", tmp_path / "elsewhere"

    check_outage(
        server, tmp_path, take_away=lambda: _move(objects, elsewhere), give_back=lambda: _move(elsewhere, objects)
    )


def test_a_server_started_while_its_folder_is_away_makes_no_other_one(server: Server, tmp_path: Path) -> None:
    objects, elsewhere = server.data_dir / "objects", tmp_path / "elsewhere"
    with server.client() as client:
        plugin_id = publish_reader(client, tmp_path)
        photo = upload_photo(client, tmp_path)
        assert server.stop() == 0
        _move(objects, elsewhere)

        server.start()
        health = httpx.get(f"{server.url}/v1/health").json()
        made_anew = objects.exists()
        _move(elsewhere, objects)

        def is_back() -> bool:
            return bool(httpx.get(f"{server.url}/v1/health").json()["data"]["objects"])

        until(is_back, what="the server has found its folder again")
        assert client.plugins.get(plugin_id).plugin["plugin_id"] == plugin_id
        assert photo.url.startswith("s3://mixpeek/")
    assert health["data"]["objects"] is False
    assert "objects" in " ".join(health["errors"])
    assert not made_anew


def _move(one: Path, other: Path) -> None:
    one.rename(other)
