"""How the vectors of a feature are compared and indexed by pgvector. Pure.

An index of `vector` holds up to 2,000 dimensions; above that, vectors are indexed with half the precision, and the
nearest by that are compared exactly. A column holds vectors of every feature, so an index is of some of its rows, cast
to their dimension, and a search says the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from mixpeek.documents.port import Metric

OPERATORS: dict[Metric, str] = {"cosine": "<=>", "dot": "<#>", "euclidean": "<->"}
_CLASSES: dict[Metric, str] = {"cosine": "cosine_ops", "dot": "ip_ops", "euclidean": "l2_ops"}
MOST_DIMENSIONS = 2000
MOST_HALF_DIMENSIONS = 4000
# Of HNSW; how much it finds is held to a limit by `benchmarks/search.py`. A graph of many vectors has to be denser, so
# that a search does not end in another cluster; one of few is wanted soon, while more are being written.
_LINKS, _CARE, _CARE_WITH_MANY, _MANY = 16, 64, 128, 50_000


@dataclass(frozen=True)
class Embedding:
    """One feature of an index: vectors of so many dimensions, compared by a metric."""

    name: str
    dimensions: int
    metric: Metric

    @property
    def type(self) -> str:
        return f"{'vector' if self.dimensions <= MOST_DIMENSIONS else 'halfvec'}({self.dimensions})"

    @property
    def is_indexed(self) -> bool:
        """Whether there is an index for so many dimensions."""
        return self.dimensions <= MOST_HALF_DIMENSIONS

    @property
    def is_exact(self) -> bool:
        """Whether the distance that is ordered by is that of the vectors themselves."""
        return self.dimensions <= MOST_DIMENSIONS

    @property
    def condition(self) -> str:
        """Written out, as an index of some rows is used only where the statement says the same at its planning."""
        quoted = self.name.replace("'", "''").replace("%", "%%")
        return f"feature = '{quoted}'"

    @property
    def build_bytes(self) -> int:
        """Memory that a vector takes while its index is built, its numbers and its place in the graph; 0 without one.

        Measured with pgvector 0.8.5 by when a build says that it no longer fits: 1,226 bytes for 128 dimensions, 6,880
        for 1,536, 6,723 for 3,000 of half the precision.
        """
        if not self.is_indexed:
            return 0
        return self.dimensions * (4 if self.is_exact else 2) + 720

    def order(self, vector: str) -> str:
        """Return the distance from a vector, as an expression the index answers to."""
        kind = self.type
        return f"(embedding::{kind}) {OPERATORS[self.metric]} {vector}::{kind}"

    def index(self, name: str, table: str, rows: int, *, concurrently: bool) -> str | None:
        """Return the statement that indexes so many rows; None for more dimensions than can be indexed."""
        if not self.is_indexed:
            return None
        kind, care = self.type, _CARE_WITH_MANY if rows > _MANY else _CARE
        return (
            f"CREATE INDEX {'CONCURRENTLY ' if concurrently else ''}{name} ON {table}"
            f" USING hnsw ((embedding::{kind}) {kind.partition('(')[0]}_{_CLASSES[self.metric]})"
            f" WITH (m = {_LINKS}, ef_construction = {care})"
            f" WHERE {self.condition.replace('%%', '%')}"
        )
