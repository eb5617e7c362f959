"""How vectors are laid out in Qdrant: one collection for each dimension and metric, one point for each vector. Pure.

A point's id is made of whose vector it is and of the write that made it, so a write that is repeated after a crash
neither changes nor hides what is committed.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixpeek.documents.port import Index, Metric

PREFIX = "mixpeek_"
METRICS: tuple[Metric, ...] = ("cosine", "dot", "euclidean")
_IDS = uuid.UUID("6f0c7e1e-6c34-4c2a-9d0b-1d1f0f5b7a43")
_NAME = re.compile(rf"{PREFIX}(\d+)_({'|'.join(METRICS)})")
# A vector whose length differs from 1 by no more than what float32 loses is taken for a unit vector.
_UNIT = 1e-6

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Space:
    """Vectors that can be compared: of so many dimensions, by one metric."""

    dimensions: int
    metric: Metric

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.dimensions}_{self.metric}"

    @classmethod
    def from_name(cls, name: str) -> Space:
        found = _NAME.fullmatch(name)
        assert found is not None, f"{name!r} names no space"
        return cls(int(found[1]), found[2])  # type: ignore[arg-type]


@dataclass(frozen=True)
class Point:
    """Which vector it is: a document's, of a feature, by the write that made it."""

    collection_id: str
    generation: int
    document_id: str
    feature: str
    metric: Metric
    dimensions: int
    version: int

    @property
    def id(self) -> str:
        parts = (self.collection_id, self.generation, self.document_id, self.feature, self.version)
        return str(uuid.uuid5(_IDS, "\0".join(map(str, parts))))

    @property
    def space(self) -> Space:
        return Space(self.dimensions, self.metric)


def place_of(index: Index, feature: str) -> str:
    """Return what the vectors of one feature of one index are found by."""
    return f"{index.collection_id}:{index.generation}:{feature}"


def payload_of(point: Point, vector: Vector) -> dict[str, Any]:
    """Return what is stored beside a vector: where it belongs and, where it is compared as another, itself."""
    is_found = point.metric != "cosine" or bool(vector.any())
    payload = {
        # One without a direction is compared with nothing.
        "place": place_of(Index(point.collection_id, point.generation), point.feature) if is_found else "",
        "collection": point.collection_id,
        "generation": point.generation,
        "document": point.document_id,
        "version": point.version,
    }
    if point.metric == "cosine" and not _is_unit(vector):
        payload["raw"] = base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()
    return payload


def compared(vector: Vector, metric: Metric) -> list[float]:
    """Return the vector that is compared in place of `vector`: for cosine, of unit length."""
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if metric == "cosine" and length > 0.0 and not _is_unit(vector):
        return [float(x) for x in (vector.astype(np.float64) / length).astype(np.float32)]
    return [float(x) for x in vector]


def written(stored: Sequence[float], payload: dict[str, Any]) -> list[float]:
    """Return the vector that was written, of what is stored."""
    raw = payload.get("raw")
    if raw is not None:
        return [float(x) for x in np.frombuffer(base64.b64decode(raw), "<f4")]
    return [float(x) for x in np.asarray(stored, np.float32)]


def score_of(told: float, metric: Metric) -> float:
    """Return the score of `DocumentStore.search` for what Qdrant tells: a product, or a Euclidean distance."""
    return 1.0 / (1.0 + told) if metric == "euclidean" else told


def _is_unit(vector: Vector) -> bool:
    return abs(float(np.linalg.norm(vector.astype(np.float64))) - 1.0) <= _UNIT
