"""What a batch waits out, and what ends it."""

from __future__ import annotations

import psycopg
import psycopg_pool
import pytest

from mixpeek.batches.outages import cause_of_outage
from mixpeek.documents.qdrant.errors import VectorStoreAway
from mixpeek.errors import NotFound, PluginRaised, ServiceUnavailable
from mixpeek.objects.errors import ObjectStoreAway, ObjectStoreFull


def caused_by(cause: BaseException) -> Exception:
    error = RuntimeError("told on")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (psycopg.OperationalError("the connection broke"), "database_away"),
        (psycopg.InterfaceError("the connection is closed"), "database_away"),
        (psycopg_pool.PoolTimeout("none could be had"), "database_away"),
        (psycopg.errors.AdminShutdown("it ends"), "database_away"),
        (psycopg.errors.CannotConnectNow("it comes up"), "database_away"),
        (psycopg.errors.TooManyConnections("full"), "database_away"),
        (psycopg.errors.ReadOnlySqlTransaction("a standby"), "database_away"),
        (psycopg.errors.DiskFull("no space"), "disk_full"),
        (OSError(28, "No space left on device"), "disk_full"),
        (ObjectStoreAway("no route to host"), "object_store_away"),
        (ObjectStoreFull("no room"), "disk_full"),
        (VectorStoreAway("no route to host"), "vector_store_away"),
        (caused_by(ObjectStoreAway("no route to host")), "object_store_away"),
        (caused_by(psycopg.errors.DiskFull("no space")), "disk_full"),
        (NotFound("stored object", "k"), None),
        (ServiceUnavailable("a host that is busy"), None),
        (psycopg.errors.UniqueViolation("twice"), None),
        (psycopg.errors.UndefinedColumn("misspelt"), None),
        (PluginRaised("ValueError"), None),
        (OSError(2, "No such file"), None),
        (ValueError("ours"), None),
    ],
)
def test_an_outage_has_a_name_and_any_other_error_has_none(error: BaseException, cause: str | None) -> None:
    assert cause_of_outage(error) == cause
