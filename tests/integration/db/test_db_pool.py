"""The pool of connections to a real database: which one is handed out, and how each is set up."""

from __future__ import annotations

from contextlib import ExitStack

from mixpeek.db.pool import CANDIDATES, Connection, Database, scalar


def process_of(connection: Connection) -> int:
    return int(scalar(connection, "SELECT pg_backend_pid()"))


def test_the_connection_returned_last_is_taken_again_and_the_others_lie_idle(database: Database) -> None:
    with ExitStack() as all_at_once:
        connections = [all_at_once.enter_context(database.transaction()) for _ in range(3)]
        first = process_of(connections[0])  # the one that is entered first is returned last
        assert len({process_of(each) for each in connections}) == 3

    taken = []
    for _ in range(6):
        with database.transaction() as connection:
            taken.append(process_of(connection))

    assert taken == [first] * 6


def test_every_connection_looks_as_far_as_searches_need(database: Database) -> None:
    with database.transaction() as one, database.reading() as another:
        for connection in (one, another):
            assert scalar(connection, "SHOW hnsw.ef_search") == str(CANDIDATES)
            assert scalar(connection, "SHOW hnsw.iterative_scan") == "strict_order"
