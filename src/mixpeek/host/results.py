"""A plugin's result as strict JSON: quickly where it holds vectors, by the standard library's own rules always."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection
from typing import Any

from mixpeek.host.failures import invalid, too_large
from mixpeek.host.frames import FrameTooLarge, check_reply_header
from mixpeek.host.verbs import plain

# From so many numbers on, pydantic's writer is worth a look at each of them: the standard library takes 0.2 ms for a
# vector of 384. Up to so many, as its writer ends the process where memory ends.
_FEWEST, _MOST = 32, 100_000
_SCALARS = frozenset({str, float, bool, type(None)})


def _default(value: Any) -> Any:
    converted = plain(value)
    if converted is value:
        raise TypeError(f"a {type(value).__name__} has no JSON form")
    return converted


_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_default)


def encode_result(result: Any) -> bytes:
    """Return a result as strict JSON; raise Failure for one that has no such form, or is over the limit."""
    try:
        encoded = _quickly(result) or _encoder.encode(result).encode()
    except MemoryError as error:
        raise too_large("the result is too large to be written as JSON in the memory left; return less") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid(f"the result is not strict JSON: {error}") from error
    try:
        check_reply_header(encoded)
    except FrameTooLarge as error:
        raise too_large(str(error)) from error
    return encoded


def _quickly(result: Any) -> bytes | None:
    """Return the JSON of a result with many numbers in it and nothing that JSON does not have; None for any other."""
    if type(result) not in (dict, list) or not _FEWEST <= _weight(result, 0) <= _MOST:
        return None
    write = _writer()
    try:
        encoded = None if write is None else write(result)
    except ValueError:  # half of a surrogate pair
        return None
    # Also where a text says so: then the slower way decides.
    return None if encoded is None or b"NaN" in encoded or b"Infinity" in encoded else encoded


def _weight(value: Any, depth: int) -> int:
    """Return roughly how much a value is to write, more than is allowed if it is not JSON's own through and through."""
    kind = type(value)
    if kind is list or kind is tuple:
        return _weights(value, depth)
    if kind is dict and set(map(type, value)) <= {str}:
        return sum(map(len, value)) + _weights(value.values(), depth)
    if kind is str:
        return 1 + len(value) // 16
    if kind in _SCALARS or (kind is int and value.bit_length() < 64):
        return 1
    return _MOST + 1


def _weights(values: Collection[Any], depth: int) -> int:
    kinds = set(map(type, values))
    if kinds <= {float} or depth > 20:
        return len(values) if depth <= 20 else _MOST + 1
    total = 1
    for value in values:
        total += _weight(value, depth + 1)
        if total > _MOST:
            break
    return total


def _writer() -> Callable[[Any], bytes] | None:
    """Return pydantic's writer of JSON, loaded by the first result that is worth it."""
    if "pydantic_core" not in sys.modules:
        try:
            import pydantic_core  # noqa: F401
        except ImportError:
            return None
    return getattr(sys.modules["pydantic_core"], "to_json", None)
