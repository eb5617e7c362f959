"""Vectors in a plugin's answers: where they stand, whether they can be stored, whether two mean the same. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mixpeek.contract.manifest import Feature

# Below this cosine, realtime and batch do not mean the same vector.
PARITY = 0.999
# Vectors are stored in single precision.
LARGEST_NUMBER = 3.4028234663852886e38


def vector_from_reply(reply: Any, feature: Feature, *, only_feature: bool) -> list[float] | None:
    """Return the vector of `feature` in a realtime reply: under the feature's name, else under `embedding`.

    The older plural `embeddings`, a list holding one vector, is read too.
    """
    if not isinstance(reply, dict):
        return None
    value = reply.get(feature.feature_name)
    if value is None and only_feature:
        value = reply.get("embedding", reply.get("embeddings"))
    if isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    return value if isinstance(value, list) else None


def fault_of_vector(vector: Any, feature: Feature) -> str | None:
    """Return why `vector` cannot be stored as `feature`, or None."""
    name = feature.feature_name
    if vector is None:
        return f"no vector for feature {name!r}"
    if not isinstance(vector, list):
        return f"feature {name!r} is not a list of numbers"
    if len(vector) != feature.embedding_dim:
        return f"feature {name!r} has {len(vector)} numbers, its manifest says {feature.embedding_dim}"
    if not all(isinstance(number, int | float) and abs(number) <= LARGEST_NUMBER for number in vector):
        return f"feature {name!r} holds a value that is not a finite number"
    return None


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine between two vectors of one length, -1 to 1; equal ones have 1, even if they are zero."""
    if list(one) == list(other):
        return 1.0
    first, second = _scaled(one), _scaled(other)
    lengths = math.hypot(*first) * math.hypot(*second)
    return sum(a * b for a, b in zip(first, second, strict=True)) / lengths if lengths else 0.0


def _scaled(vector: Sequence[float]) -> list[float]:
    """Return a vector of the same direction whose largest number is 1, so that no product overflows."""
    largest = max((abs(float(number)) for number in vector), default=0.0)
    return [float(number) / largest for number in vector] if largest else [0.0] * len(vector)
