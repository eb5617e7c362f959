"""Who follows plugin logs in this process, woken when the database says that there are new lines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from mixpeek.errors import ServiceUnavailable

# Each holds a connection of its client and asks the database whenever its log grows.
MOST_FOLLOWERS = 64


class Follower:
    """One reader that waits for new lines."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.is_told_to_end = False
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Have `wait` return."""
        self._news.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for news; tell whether there are any."""
        if not self._news.is_set():
            try:
                await asyncio.wait_for(self._news.wait(), timeout_s)
            except TimeoutError:
                return False
        self._news.clear()
        return True


class Followers:
    """Used from the server's loop only; one listener of the database serves them all."""

    def __init__(self, most: int = MOST_FOLLOWERS) -> None:
        self._most = most
        self._followers: set[Follower] = set()

    def check_room(self) -> None:
        """Raise ServiceUnavailable where nobody else may follow."""
        if len(self._followers) >= self._most:
            raise ServiceUnavailable(
                f"{self._most} readers follow logs on this server already",
                hint="Read the log without `follow`, or try again later",
            )

    @contextlib.contextmanager
    def join(self, namespace_id: str, plugin_id: str) -> Iterator[Follower]:
        """Follow one plugin version."""
        follower = Follower(f"{namespace_id}/{plugin_id}")
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def note(self, key: str) -> None:
        """Wake those who follow what a notice names; "" wakes all: notices may have been missed."""
        for follower in self._followers:
            if key in ("", follower.key):
                follower.wake()

    def close(self) -> None:
        """Have everybody stop."""
        for follower in self._followers:
            follower.is_told_to_end = True
            follower.wake()
