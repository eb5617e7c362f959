"""Whether the object store answers, for those who cannot wait until a silent one is given up."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from mixpeek.objects.errors import ObjectStoreAway
from mixpeek.objects.store import ObjectStore

ANSWER_S = 1.5


class Watch:
    """Asks a store in a thread of its own, once at a time."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="object-store-watch")
        self._lock = threading.Lock()
        self._asked: Future[None] | None = None

    def fault(self) -> str | None:
        """Return what is wrong with the store, None where it answered within `ANSWER_S`."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = self._pool.submit(self._objects.check)
            asked = self._asked
        try:
            asked.result(ANSWER_S)
        except TimeoutError:
            return f"The object store has not answered for {ANSWER_S:g} s"
        except ObjectStoreAway as error:
            return error.message
        return None
