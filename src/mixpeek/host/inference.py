"""Inference requests in a host: those that wait together become one call of the plugin, each gets an answer of its own.

Greedy: what waits is taken when the plugin is free, nothing ever waits for company.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from mixpeek.host.failures import Failure, invalid, release, text_of
from mixpeek.host.frames import decode_strict


class Batching(Protocol):
    """A plugin that can be asked once or for several requests of equal parameters at a time."""

    def predict_one(self, inputs: Any, parameters: dict[str, Any]) -> Any:
        """Answer one request."""

    def predict_many(self, inputs: Sequence[Any], parameters: dict[str, Any]) -> list[Any]:
        """Answer several requests in one call, in order."""

    def batches_by_keys(self) -> bool:
        """Whether requests of one call must have the same keys, because they become rows of one table."""


class Asked:
    """One inference request; its body is read when it is looked at first."""

    __slots__ = ("_body", "_read", "alone", "identifier")

    def __init__(self, request: dict[str, Any], body: bytes) -> None:
        self.identifier = int(request["id"])
        self.alone = request.get("alone") is True
        self._body = body
        self._read: tuple[Any, dict[str, Any]] | None = None

    def read(self) -> tuple[Any, dict[str, Any]]:
        """Return inputs and parameters; raise Failure if the body cannot be read."""
        if self._read is None:
            try:
                asked = decode_strict(self._body)
            except (ValueError, RecursionError) as error:
                raise invalid(f"the request cannot be read: {error}") from error
            if not isinstance(asked, dict):
                raise invalid("the request is not an object")
            self._read = asked.get("inputs"), asked.get("parameters") or {}
        return self._read


def take_together(waiting: deque[Any], limit: int, *, same_keys: bool) -> list[Asked]:
    """Take the first request from `waiting`, and those right behind it that may share its call, `limit` at most."""
    first: Asked = waiting.popleft()
    group = [first]
    if limit == 1 or first.alone or not waiting:
        return group
    mark = _mark(first, same_keys=same_keys)
    while mark is not None and waiting and len(group) < limit:
        following = waiting[0]
        if not isinstance(following, Asked) or following.alone or _mark(following, same_keys=same_keys) != mark:
            break
        group.append(waiting.popleft())
    return group


def _mark(asked: Asked, *, same_keys: bool) -> tuple[str, Any] | None:
    """Return what two requests must have in common to share a call; None if this one goes alone."""
    try:
        inputs, parameters = asked.read()
        # Encoded, as 1, 1.0 and true are equal here and are not to a plugin.
        encoded = json.dumps(parameters, sort_keys=True) if parameters else ""
    except (Failure, RecursionError):
        return None
    return encoded, frozenset(inputs) if same_keys and isinstance(inputs, dict) else None


def answer_group(
    plugin: Batching, group: Sequence[Asked], encode: Callable[[Any], bytes]
) -> Iterator[tuple[Asked, int, bytes | BaseException]]:
    """Yield each request with the size of the call that answered it and its encoded result, or what it raised.

    A call for several that fails is made again for each alone, so that one bad request never fails its neighbours.
    """
    if len(group) > 1:
        try:
            results = [encode(result) for result in _ask_many(plugin, group)]
        except BaseException as error:  # whatever plugin code raises, SystemExit too
            release(error)
            what = f"{type(error).__name__}: {text_of(error)}"
            with contextlib.suppress(Exception):  # a plugin may have put anything there
                sys.stderr.write(f"a call for {len(group)} requests failed, each is asked again alone: {what}\n")
        else:
            yield from zip(group, [len(group)] * len(group), results, strict=True)
            return
    for asked in group:
        yield asked, 1, ask_one(plugin, asked, encode)


def ask_one(plugin: Batching, asked: Asked, encode: Callable[[Any], bytes]) -> bytes | BaseException:
    """Return the encoded result of one request, or what it raised."""
    # Of its own: a frame that kept the error in a variable would keep all that the failed call held, in a circle.
    try:
        return encode(plugin.predict_one(*asked.read()))
    except BaseException as error:  # SystemExit too: it is an answer, not our end
        return error


def _ask_many(plugin: Batching, group: Sequence[Asked]) -> list[Any]:
    inputs = [asked.read()[0] for asked in group]
    results = plugin.predict_many(inputs, group[0].read()[1])
    if not isinstance(results, (list, tuple)) or len(results) != len(group):
        given = len(results) if isinstance(results, (list, tuple)) else f"a {type(results).__name__}"
        raise invalid(f"predict_batch returned {given} for {len(group)} requests; return one result for each, in order")
    return list(results)
