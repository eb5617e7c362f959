"""Uploads that meet each other, a crash or a cut line: published whole or not at all, and cleared in time."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from factories.answers import refusal
from factories.plugins import MakePlugin, write_plugin, zip_of
from factories.servers import Server
from factories.surface import Surface, put, surface_of
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.objects.signing import Grant, Signer

NAME = "text_embed"
CLIENTS = 20
OLD_S = 7200
LARGE_MB = 120
SLOW_MANIFEST = """
import time

time.sleep(3)
"""

Value = TypeVar("Value")


@pytest.fixture
def surface(server: Server, client: Mixpeek) -> Iterator[Surface]:
    own = surface_of(server, client.namespace or "")
    with own.http:
        yield own


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may be killed; it clears leftovers all the time and takes small archives only."""
    settings = {"MIXPEEK_MAX_ARCHIVE_BYTES": "10000", "MIXPEEK_RETENTION_INTERVAL_S": "0.2"}
    running = Server(tmp_path_factory.mktemp("uploads") / "data", settings)
    try:
        yield running.start()
        assert running.stop() == 0
    finally:
        running.discard()


@pytest.fixture
def own_surface(own_server: Server) -> Iterator[Surface]:
    with own_server.client() as client:
        surface = surface_of(own_server, client.namespace or "")
        with surface.http:
            yield surface


def at_once(act: Callable[[], Value]) -> list[Value]:
    """Return what `act` gave to each of many clients that all began at the same moment."""
    start = threading.Barrier(CLIENTS)

    def one(_: int) -> Value:
        start.wait(30)
        return act()

    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(one, range(CLIENTS)))


def change(server: Server, statement: str, *values: str) -> None:
    with psycopg.connect(EmbeddedPostgres(server.data_dir).url) as connection:
        connection.execute(statement, values)


def stored(server: Server) -> set[str]:
    """The keys of what the server's object store holds of open uploads."""
    folder = server.data_dir / "objects"
    return {path.relative_to(folder).as_posix() for path in folder.glob("uploads/*")}


# Meeting each other -------------------------------------------------------------------------------------------------


def test_of_twenty_uploads_of_one_new_version_exactly_one_is_published(
    surface: Surface, make_plugin: MakePlugin
) -> None:
    archive = zip_of(make_plugin(NAME))

    def publish() -> httpx.Response:
        asked = surface.post("/uploads", json={"name": NAME, "version": "1.0.0"})
        if asked.status_code != 200:
            return asked
        put(asked.json(), archive).raise_for_status()
        return surface.confirm(asked.json())

    answers = at_once(publish)

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: CLIENTS - 1}
    for answer in answers:
        if answer.status_code == 409:
            refusal(answer, 409, "AlreadyExistsError")
    assert surface.get().json()["total"] == 1


def test_twenty_uploads_without_a_version_get_twenty_versions(surface: Surface, make_plugin: MakePlugin) -> None:
    archive = zip_of(make_plugin(NAME))

    answers = at_once(lambda: surface.confirm(surface.upload(archive, NAME)))

    assert Counter(answer.status_code for answer in answers) == {200: CLIENTS}
    assert {answer.json()["version"] for answer in answers} == {f"1.0.{patch}" for patch in range(CLIENTS)}
    assert surface.get().json()["total"] == CLIENTS


def test_twenty_confirms_of_one_upload_all_answer_the_same(surface: Surface, make_plugin: MakePlugin) -> None:
    place = surface.upload(zip_of(make_plugin(NAME)), NAME, version="1.0.0")

    answers = at_once(lambda: surface.confirm(place))

    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert surface.get().json()["total"] == 1


# Crashes ------------------------------------------------------------------------------------------------------------


def kill_the_api(server: Server) -> None:
    pid = server.child_pid("api")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: server.child_pid("api") not in {None, pid}, what="the API process was started again")
    server.wait_until_healthy()


def kill_the_supervisor(server: Server) -> None:
    server.kill()
    server.start()


def kill_everything(server: Server) -> None:
    postmaster = server.postmaster_pid()
    assert postmaster is not None
    server.kill()
    os.kill(postmaster, signal.SIGKILL)
    server.start()


@pytest.mark.parametrize("kill", [kill_the_api, kill_the_supervisor, kill_everything])
def test_an_upload_survives_a_kill_between_put_and_confirm(
    own_server: Server, own_surface: Surface, make_plugin: MakePlugin, kill: Callable[[Server], None]
) -> None:
    place = own_surface.upload(zip_of(make_plugin(NAME)), NAME, version="1.0.0")

    kill(own_server)

    assert own_surface.get().json()["total"] == 0
    confirmed = own_surface.confirm(place)
    assert confirmed.status_code == 200, confirmed.text
    assert own_surface.get().json()["total"] == 1


@pytest.mark.parametrize("kill", [kill_the_api, kill_the_supervisor])
def test_a_confirm_that_is_killed_publishes_nothing_and_can_be_repeated(
    own_server: Server, own_surface: Surface, make_plugin: MakePlugin, kill: Callable[[Server], None]
) -> None:
    place = own_surface.upload(zip_of(make_plugin(NAME, manifest=SLOW_MANIFEST)), NAME, version="1.0.0")
    before = validations(own_server)
    with ThreadPoolExecutor(1) as background:
        broken = background.submit(own_surface.confirm, place)
        until(lambda: validations(own_server) - before, what="the validation has begun")

        kill(own_server)

        with pytest.raises(httpx.TransportError):
            broken.result(30)
    assert own_surface.get().json()["total"] == 0
    confirmed = own_surface.confirm(place)
    assert confirmed.status_code == 200, confirmed.text
    assert [plugin["plugin_id"] for plugin in own_surface.get().json()["plugins"]] == [f"{NAME}_1_0_0"]
    assert own_surface.get(f"/{NAME}_1_0_0/source").status_code == 200


def validations(server: Server) -> set[Path]:
    return set((server.data_dir / "unpacked").glob(".validating-*"))


# Cut short, altered, late, too large --------------------------------------------------------------------------------


def test_a_put_that_breaks_off_leaves_nothing_and_can_be_repeated(
    own_server: Server, own_surface: Surface, make_plugin: MakePlugin
) -> None:
    archive = zip_of(make_plugin(NAME))
    place = own_surface.open_upload(NAME, version="1.0.0")
    url = urlsplit(place["presigned_url"])
    head = f"PUT {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {len(archive)}\r\n\r\n"
    with socket.create_connection((url.hostname or "", url.port or 0)) as line:
        line.sendall(head.encode() + archive[: len(archive) // 2])

    refused = own_surface.confirm(place)

    error = refusal(refused, 404, "NotFoundError")
    assert error["code"] == "registry.upload_missing"
    assert "presigned_url" in error["hint"]
    assert place["s3_key"] not in stored(own_server)
    put(place, archive).raise_for_status()
    assert own_surface.confirm(place).status_code == 200


def test_half_an_archive_is_refused_for_what_it_is_and_can_be_replaced(
    surface: Surface, make_plugin: MakePlugin
) -> None:
    archive = zip_of(make_plugin(NAME))
    place = surface.open_upload(NAME, version="1.0.0")
    put(place, archive[: len(archive) // 2]).raise_for_status()

    noticed = surface.confirm(place, file_size_bytes=len(archive))
    refused = surface.confirm(place)

    assert refusal(noticed, 400, "BadRequestError")["code"] == "registry.upload_mismatch"
    assert refusal(refused, 400, "BadRequestError")["code"] == "registry.plugin_rejected"
    assert refused.json()["validation_errors"]
    assert surface.get().json()["total"] == 0
    put(place, archive).raise_for_status()
    assert surface.confirm(place).status_code == 200


def test_another_archive_than_the_client_sent_is_noticed_by_its_etag(surface: Surface, make_plugin: MakePlugin) -> None:
    place = surface.open_upload(NAME, version="1.0.0")
    etag = put(place, zip_of(make_plugin(NAME))).headers["ETag"]
    put(place, zip_of(make_plugin(NAME, into="other", description="another one"))).raise_for_status()

    error = refusal(surface.confirm(place, etag=etag), 400, "BadRequestError")

    assert error["code"] == "registry.upload_mismatch"
    assert surface.get().json()["total"] == 0


def test_an_expired_url_and_an_expired_upload_say_so(own_server: Server, own_surface: Surface) -> None:
    place = own_surface.open_upload(NAME, version="1.0.0")
    secret = (own_server.data_dir / "signing.key").read_text().strip().encode()
    late = Signer(secret).sign(Grant("PUT", place["s3_key"], 1_000_000_000, 10_000))
    change(
        own_server,
        "UPDATE plugin_uploads SET expires_at = now() - interval '1 minute' WHERE upload_id = %s",
        place["upload_id"],
    )

    refused = httpx.put(f"{own_server.url}/v1/blobs/{late}", content=b"x")

    assert refusal(refused, 403, "ForbiddenError")["code"] == "objects.signature_expired"
    assert refusal(own_surface.confirm(place), 400, "BadRequestError")["code"] == "registry.upload_expired"


def test_an_archive_over_the_limit_is_refused_before_it_is_stored(own_server: Server, own_surface: Surface) -> None:
    place = own_surface.open_upload(NAME, version="1.0.0")
    form = {"name": NAME, "version": "1.0.0"}

    by_url = put(place, bytes(10_001))
    by_form = own_surface.post("", files={"file": ("a.zip", bytes(10_001), "application/zip")}, data=form)
    announced = own_surface.post("/uploads", json={"name": NAME, "file_size_bytes": 10_001})

    for refused in (by_url, by_form, announced):
        error = refusal(refused, 413, "BadRequestError")
        assert "10000" in error["message"]
    assert place["s3_key"] not in stored(own_server)
    assert refusal(own_surface.confirm(place), 404, "NotFoundError")["code"] == "registry.upload_missing"


# Cleared in time ----------------------------------------------------------------------------------------------------


def peak_memory_mb(server: Server) -> float:
    """Return the most memory that the API process ever held."""
    lines = Path(f"/proc/{server.child_pid('api')}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def test_a_large_archive_never_lies_in_memory(server: Server, surface: Surface, make_plugin: MakePlugin) -> None:
    weights = os.urandom(LARGE_MB * 1024 * 1024)
    folder = make_plugin(NAME)
    (folder / "weights.bin").write_bytes(weights)
    archive = zip_of(folder)
    before = peak_memory_mb(server)

    confirmed = surface.confirm(surface.upload(archive, NAME)).raise_for_status().json()
    place = surface.get(f"/{confirmed['plugin_id']}/download").json()["presigned_url"]
    returned = httpx.get(place).content

    assert returned == archive
    assert peak_memory_mb(server) - before < LARGE_MB / 2  # buffers, not the archive


def test_what_was_never_confirmed_is_cleared_and_what_was_published_stays(
    own_server: Server, own_surface: Surface, tmp_path: Path
) -> None:
    archive = zip_of(write_plugin(tmp_path / NAME))
    own_surface.confirm(own_surface.upload(archive, NAME, version="1.0.0")).raise_for_status()
    abandoned = own_surface.upload(archive, NAME)
    half = own_surface.open_upload(NAME)
    put(half, archive[:500]).raise_for_status()
    assert own_surface.confirm(half).status_code == 400
    kept = own_surface.upload(archive, NAME)
    assert {abandoned["s3_key"], half["s3_key"], kept["s3_key"]} <= stored(own_server)

    for place in (abandoned, half):
        change(
            own_server,
            "UPDATE plugin_uploads SET expires_at = now() - interval '2 hours' WHERE upload_id = %s",
            place["upload_id"],
        )
    for path in (own_server.data_dir / "objects").rglob("*"):
        if path.is_file():
            moment = path.stat().st_mtime - OLD_S
            os.utime(path, (moment, moment))

    until(lambda: not {abandoned["s3_key"], half["s3_key"]} & stored(own_server), what="abandoned uploads were cleared")
    refusal(own_surface.confirm(abandoned), 404, "NotFoundError")
    assert own_surface.confirm(kept).status_code == 200
    download = own_surface.get(f"/{NAME}_1_0_0/download").json()
    assert httpx.get(download["presigned_url"]).content == archive
