"""A bound on what a statement that a request shaped may cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import psycopg

from mixpeek.db.pool import Connection
from mixpeek.errors import RequestError
from mixpeek.filters.model import FilterInvalid

LIMIT_S = 10.0
# The limit in force, 0 for none, and whether it is wider than another; written as settings are, `200ms` or `1min`.
_IN_FORCE = (
    "SELECT now, now::interval = interval '0' OR now::interval > %s::interval"
    " FROM current_setting('statement_timeout') now"
)


class FilterTimedOut(RequestError):
    """The filter, search or sort takes too long over this many things."""

    code = "filter.timed_out"
    hint = "Filter by something more selective beside it, or ask for less at once"


@contextmanager
def time_limit(connection: Connection, seconds: float = LIMIT_S) -> Iterator[None]:
    """Give each statement within so much time; where the transaction gives it less already, that stays.

    Raises: FilterTimedOut: one took longer. FilterInvalid: a regular expression needs too much memory.
        psycopg.errors.QueryCanceled: one took longer than the transaction gave it.
    """
    is_ours = True
    try:
        # The limit is the transaction's, so there has to be one.
        with connection.transaction() if connection.autocommit else nullcontext():
            limit = f"{int(seconds * 1000)}ms"
            [(before, is_ours)] = connection.execute(_IN_FORCE, [limit]).fetchall()
            if is_ours:
                connection.execute("SELECT set_config('statement_timeout', %s, true)", [limit])
            yield
            # What follows in the transaction may wait for others; after an error there is nothing to follow.
            if is_ours:
                connection.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except psycopg.errors.QueryCanceled as error:
        if not is_ours:
            raise
        raise FilterTimedOut(f"The statement took longer than {seconds:g} seconds") from error
    except psycopg.errors.InvalidRegularExpression as error:
        raise FilterInvalid(
            f"The regular expression cannot be used: {error.diag.message_primary}", hint="Repeat less within it"
        ) from error
