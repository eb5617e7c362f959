"""Showing a shadow the requests that the stable version has answered, and comparing what both say.

A request is mirrored once its answer is known, so that the shadow is never waited for; what the bounds leave no room
for is counted and let go, and nothing is mirrored twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import orjson

from mixpeek.contract.manifest import Feature
from mixpeek.deployments.comparison import Difference, compare
from mixpeek.deployments.shadow_report import ShadowReport
from mixpeek.errors import MixpeekError
from mixpeek.serving.errors import InferenceUnavailable
from mixpeek.serving.replica import Answer
from mixpeek.serving.replica_set import ReplicaSet

# Requests and answers held for one shadow, by number and in bytes.
MOST_AT_ONCE = 16
MOST_BYTES = 32 * 1024**2
# Answers this short are compared between two turns of the loop, as that takes it less than a thread would; longer
# ones in a thread, up to a size at which reading them alone would hold everybody up.
QUICK_BYTES = 16 * 1024
MOST_COMPARED_BYTES = 1024**2

Outcome = Answer | BaseException


@dataclass(frozen=True)
class _Pair:
    """One request with both outcomes, each with the seconds it took; the loop's own clock ticks too coarsely."""

    stable: Outcome
    stable_s: float
    shadow: Outcome
    shadow_s: float


class Mirror:
    """Shows one shadow what one name is asked; as a route's tap it is told of each request."""

    def __init__(self, shadow: ReplicaSet, embeddings: Sequence[Feature], compared_with: str) -> None:
        self.compared_with = compared_with
        self.report = ShadowReport()
        self._shadow = shadow
        self._embeddings = tuple(embeddings)
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="comparing")
        self._at_once = 0
        self._bytes = 0

    def __call__(self, body: bytes, answering: asyncio.Future[Answer]) -> None:
        answering.add_done_callback(partial(self._note_answer, body, time.perf_counter()))

    def close(self) -> None:
        """Compare nothing further."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _note_answer(self, body: bytes, asked_at: float, answering: asyncio.Future[Answer]) -> None:
        """Take note of a live outcome; whoever asked is told before anything is done with it."""
        outcome = _outcome(answering)
        size = len(body) + _size(outcome)
        is_unasked = isinstance(outcome, InferenceUnavailable | asyncio.CancelledError)
        if is_unasked or self._at_once >= MOST_AT_ONCE or self._bytes + size > MOST_BYTES:
            self.report.dropped += 1
            return
        self._at_once += 1
        self._bytes += size
        self._loop.call_soon(self._send, body, outcome, time.perf_counter() - asked_at, size)

    def _send(self, body: bytes, stable: Outcome, stable_s: float, size: int) -> None:
        sent_at = time.perf_counter()
        try:
            mirrored = self._shadow.submit(body, once=True)
        except InferenceUnavailable:
            self._drop(size)
            return

        def note_answer(answered: asyncio.Future[Answer]) -> None:
            pair = _Pair(stable, stable_s, _outcome(answered), time.perf_counter() - sent_at)
            self._loop.call_soon(self._count, pair, size)

        mirrored.add_done_callback(note_answer)

    def _count(self, pair: _Pair, size: int) -> None:
        """Count one outcome on both sides; compare the answers if there are two."""
        stable, shadow = pair.stable, pair.shadow
        if isinstance(shadow, InferenceUnavailable | asyncio.CancelledError):
            self._drop(size)
            return
        if isinstance(stable, BaseException) or isinstance(shadow, BaseException):
            told = _told(shadow) if isinstance(shadow, BaseException) else None
            self.report.note_errors(isinstance(stable, BaseException), told)
            self._release(size)
            return
        self.report.note_times(pair.stable_s, pair.shadow_s)
        largest = max(len(stable.result), len(shadow.result))
        if largest > MOST_COMPARED_BYTES:
            self.report.too_large += 1
            self._release(size)
        elif largest <= QUICK_BYTES:
            try:
                self.report.note_difference(_compare(stable.result, shadow.result, self._embeddings))
            finally:
                self._release(size)
        else:
            comparing = self._loop.run_in_executor(
                self._thread, _compare, stable.result, shadow.result, self._embeddings
            )
            comparing.add_done_callback(lambda compared: self._note_compared(compared, size))

    def _note_compared(self, compared: asyncio.Future[Difference], size: int) -> None:
        try:
            if compared.cancelled():
                self.report.dropped += 1
            else:
                self.report.note_difference(compared.result())
        finally:
            self._release(size)

    def _drop(self, size: int) -> None:
        self.report.dropped += 1
        self._release(size)

    def _release(self, size: int) -> None:
        self._at_once -= 1
        self._bytes -= size


def _compare(stable: bytes, shadow: bytes, embeddings: Sequence[Feature]) -> Difference:
    one = orjson.loads(stable)  # a replica has checked that both are JSON
    return compare(one, one if shadow == stable else orjson.loads(shadow), embeddings)


def _outcome(answering: asyncio.Future[Answer]) -> Outcome:
    if answering.cancelled():
        return asyncio.CancelledError()
    return answering.exception() or answering.result()


def _size(outcome: Outcome) -> int:
    return len(outcome.result) if isinstance(outcome, Answer) else 0


def _told(error: BaseException) -> tuple[str, str]:
    """Return an error's code and what it says."""
    return (error.code, error.named) if isinstance(error, MixpeekError) else ("unexpected", type(error).__name__)
