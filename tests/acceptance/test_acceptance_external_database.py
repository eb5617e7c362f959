"""Any PostgreSQL with pgvector, named by URL, takes the place of the embedded one."""

from __future__ import annotations

from factories.servers import API_KEY, MakeServer
from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres


def test_a_server_given_a_database_url_keeps_its_state_there_and_leaves_it_running(
    database: EmbeddedPostgres, make_server: MakeServer
) -> None:
    first = make_server(database_url=database.url).start()
    with Mixpeek(api_key=API_KEY, base_url=first.url) as client:
        namespace = client.namespaces.create("kept").namespace_id

    assert first.stop() == 0
    second = make_server(database_url=database.url).start()

    assert not (first.data_dir / "postgres").exists()
    with Mixpeek(api_key=API_KEY, base_url=second.url) as client:
        assert client.namespaces.get(namespace).namespace_name == "kept"
