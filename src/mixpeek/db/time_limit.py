"""A bound on what a statement that a request shaped may cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from mixpeek.db.pool import Connection, scalar
from mixpeek.errors import RequestError
from mixpeek.filters.model import FilterInvalid

LIMIT_S = 10.0


class FilterTimedOut(RequestError):
    """The filter, search or sort takes too long over this many things."""

    code = "filter.timed_out"
    hint = "Filter by something more selective beside it, or ask for less at once"


@contextmanager
def time_limit(connection: Connection, seconds: float = LIMIT_S) -> Iterator[None]:
    """Give each statement within so much time.

    Raises: FilterTimedOut: one took longer. FilterInvalid: a regular expression needs too much memory.
    """
    before = scalar(connection, "SELECT current_setting('statement_timeout')")
    connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(seconds * 1000))])
    try:
        yield
        # What follows in the transaction may wait for others; after an error there is nothing to follow.
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except psycopg.errors.QueryCanceled as error:
        raise FilterTimedOut(f"The statement took longer than {seconds:g} seconds") from error
    except psycopg.errors.InvalidRegularExpression as error:
        raise FilterInvalid(
            f"The regular expression cannot be used: {error.diag.message_primary}", hint="Repeat less within it"
        ) from error
