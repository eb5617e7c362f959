"""How the answers of two versions to one request differ: a pure function of two replies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mixpeek.contract.manifest import Feature
from mixpeek.examination.vectors import vector_from_reply
from mixpeek.inspection.findings import escape

# Numbers that agree so closely are the same: another order of the same additions does not count as a change.
CLOSE = 1e-6
# What stands for the whole output where one of the two is no object.
WHOLE = "(the whole output)"
# A plugin may make up keys; a longer one is told by its beginning.
LONGEST_KEY = 100


@dataclass(frozen=True)
class Difference:
    """What differs between two replies.

    `distances` are cosine distances (0 to 2) by embedding feature; `unlike` names features whose vectors cannot be
    compared, having another length or holding something else than numbers. Of the keys, embeddings are never `changed`.
    """

    distances: dict[str, float] = field(default_factory=dict)
    unlike: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    @property
    def is_none(self) -> bool:
        """Whether the two replies say the same."""
        others = (self.unlike, self.changed, self.missing, self.added)
        return not any(others) and all(distance < CLOSE for distance in self.distances.values())


def compare(stable: Any, shadow: Any, embeddings: Sequence[Feature]) -> Difference:
    """Return how the shadow's reply differs from the stable version's, whose embedding features these are."""
    if not isinstance(stable, dict) or not isinstance(shadow, dict):
        return Difference(changed=[] if _is_alike(stable, shadow) else [WHOLE])
    found = Difference()
    vector_keys: set[str] = set()
    only = len(embeddings) == 1
    for feature in embeddings:
        one = vector_from_reply(stable, feature, only_feature=only)
        other = vector_from_reply(shadow, feature, only_feature=only)
        if one is None or other is None:
            continue  # a reply may leave features out; that one of the two does, its keys say
        vector_keys.add(feature.feature_name)
        if only:
            vector_keys |= {"embedding", "embeddings"}
        distance = cosine_distance(one, other)
        if distance is None:
            found.unlike.append(feature.feature_name)
        else:
            found.distances[feature.feature_name] = distance
    found.missing.extend(_named(key) for key in stable if key not in shadow)
    found.added.extend(_named(key) for key in shadow if key not in stable)
    found.changed.extend(
        _named(key)
        for key, value in stable.items()
        if key in shadow and key not in vector_keys and not _is_alike(value, shadow[key])
    )
    return found


def cosine_distance(one: Sequence[Any], other: Sequence[Any]) -> float | None:
    """Return 1 - cosine of two vectors, 0 to 2; None if they have different lengths or hold other than numbers.

    Two vectors of zeros are the same; one of zeros is at distance 1 of every other.
    """
    if len(one) != len(other):
        return None
    try:
        lengths = math.hypot(*one), math.hypot(*other)
        if not all(lengths):
            return 0.0 if lengths == (0.0, 0.0) else 1.0
        # Divided before they are multiplied, so that large numbers do not overflow.
        cosine = sum((a / lengths[0]) * (b / lengths[1]) for a, b in zip(one, other, strict=True))
    except (TypeError, OverflowError):  # text, lists, numbers beyond all measure
        return None
    return min(2.0, max(0.0, 1.0 - cosine)) if math.isfinite(cosine) else None


def _named(key: str) -> str:
    """Return a plugin's key as a database and a terminal can take it."""
    return escape(key[:LONGEST_KEY])


def _is_alike(one: Any, other: Any) -> bool:
    """Tell whether two values of JSON are the same, numbers within a millionth; not recursive, as lists may be deep."""
    pairs = [(one, other)]
    while pairs:
        a, b = pairs.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            pairs += [(value, b[key]) for key, value in a.items()]
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            pairs += zip(a, b, strict=True)
        elif _is_number(a) and _is_number(b):
            if a != b and not _is_close(a, b):
                return False
        elif type(a) is not type(b) or a != b:
            return False
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_close(one: float, other: float) -> bool:
    try:
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE / 1000)
    except OverflowError:  # whole numbers too large for a float
        return False
