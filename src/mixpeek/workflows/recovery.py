"""Giving what a dead worker had under way to those that live.

A worker is dead once nobody holds its lease and it has not said for a while that it lives; one that ended in order, or
whose successor says so, needs no such while.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from mixpeek.db import processes
from mixpeek.db.lease import Lease, is_free
from mixpeek.db.pool import Database

log = logging.getLogger(__name__)

# Time to take a lease again, for a worker whose session broke. As long a session must have lasted of one that judges:
# after a failover all have lost theirs, and whoever is back first would take the others for dead.
GRACE_S = 5.0


class Recovery:
    """One worker's part in it; every worker does the same, and doing it twice changes nothing."""

    def __init__(
        self,
        database: Database,
        executor_id: str,
        lease: Lease,
        list_executors: Callable[[], Iterable[str]],
        take_over: Callable[[str], int],
    ) -> None:
        """Watch over the workers that `list_executors` says have something under way.

        Args: take_over: makes what a dead worker had under way anybody's; returns how much that was.
        """
        self._database = database
        self._executor_id = executor_id
        self._lease = lease
        self._list_executors = list_executors
        self._take_over = take_over

    def succeed(self, predecessor: str | None) -> None:
        """Take the worker that ran here before for dead, unless it runs elsewhere all the same."""
        if predecessor is None:
            return
        with self._database.transaction() as connection:
            if is_free(connection, predecessor):
                processes.forget_executor(connection, predecessor)

    def look(self) -> list[str]:
        """Take over from every worker that is dead by now; return which these are."""
        return [other for other in sorted({*self._list_executors()} - {self._executor_id}) if self._recover(other)]

    def _recover(self, executor_id: str) -> bool:
        with self._database.transaction() as connection:
            # Whose own lease is free has lost its session without knowing yet, and is in no position to judge.
            if is_free(connection, self._executor_id) or not is_free(connection, executor_id):
                return False
            if processes.is_known(connection, executor_id):
                if self._lease.held_s < GRACE_S or processes.has_beaten(connection, executor_id, GRACE_S):
                    return False
                processes.forget_executor(connection, executor_id)
        # It is known no more, so it ends should it come back; and if this process ends here, another finds it so.
        count = self._take_over(executor_id)
        log.warning("worker %s is gone; what it had under way goes on elsewhere: %d tasks", executor_id, count)
        return True
