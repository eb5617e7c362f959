"""The statements of a search by vector: over the shared table and the segments of large indexes, filtered or not. Pure.

A document is looked up by its whole key, in a subquery that OFFSET keeps apart: the planner may take a collection that
is being filled for empty, and would read all of it once for every vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.documents.port import Premise
from mixpeek.documents.segment_queries import Layout
from mixpeek.documents.surface import SURFACE
from mixpeek.documents.value_marks import compile_marks
from mixpeek.documents.vector_columns import OPERATORS, Embedding
from mixpeek.filters.model import Filter
from mixpeek.filters.sql import compile_filter

# A filter is tried on so many documents.
SAMPLE = 400


class SearchStatement:
    """One search; `params` are those of all its statements, but for `vector`."""

    def __init__(
        self,
        layouts: Sequence[Layout],
        embedding: Embedding,
        k: int,
        where: Filter | None,
        premise: Premise | None = None,
    ) -> None:
        self._embedding = embedding
        self._limit = int(k)
        self._shared = [layout.index for layout in layouts if layout.is_shared]
        self._large = [layout for layout in layouts if layout.number is not None]
        self.params: dict[str, Any] = {
            "feature": embedding.name,
            "large": len(self._large),
        }
        self._premise = "" if premise is None else f" AND {premise.text}"
        self.params |= {} if premise is None else premise.params
        self._is_single = len(layouts) == 1
        if self._is_single:
            self.params |= {"collection": layouts[0].index.collection_id, "generation": layouts[0].index.generation}
        else:
            self.params["all_collections"] = [layout.index.collection_id for layout in layouts]
            self.params["all_generations"] = [layout.index.generation for layout in layouts]
        for name, indexes in (("shared", self._shared), ("large", [layout.index for layout in self._large])):
            for place, index in enumerate(indexes):
                self.params[f"{name}_collection_{place}"] = index.collection_id
                self.params[f"{name}_generation_{place}"] = index.generation
        if len(self._shared) > 1:
            self.params["collections"] = [index.collection_id for index in self._shared]
            self.params["generations"] = [index.generation for index in self._shared]
        # A condition over the columns of `documents`, and what has to hold beside it, by index, where marks tell.
        self._passing: str | None = None
        self._marks: dict[str, str] = {}
        if where is not None:
            passing = compile_filter(where, SURFACE)
            self._passing = passing.text
            self.params |= passing.params
            self._add_marks(where)

    def _add_marks(self, where: Filter) -> None:
        places = {f"large_{place}": layout.index for place, layout in enumerate(self._large)}
        if len(self._shared) == 1:
            places["shared_0"] = self._shared[0]
        for name, index in places.items():
            marks = compile_marks(where, index, prefix=f"marks_{name}")
            if marks is not None:
                self._marks[name] = f" AND {marks.text}"
                self.params |= marks.params

    def text(self, *, looked_at: int = 0, filter_first: bool = False, documents: bool = False) -> str:
        """Return it whole: with a filter, either tried on so many of the nearest, or on all documents first.

        Args: documents: also return what is stored of each.
        """
        parts = [self._shared_part()] if self._shared else []
        for place, layout in enumerate(self._large):
            if filter_first:
                parts.append(self._filtered(f"large_{place}", _of_index(place), self._of_segments(layout)))
            else:
                parts.append(self._ordered(place, layout, looked_at))
        if self._is_single:
            # Without lists: what the planner expects of them keeps it from one plan for every query.
            one_of_them = "l.collection_id = %(collection)s AND l.generation = %(generation)s"
            generation = "%(generation)s"
        else:
            lists = "%(all_collections)s::text[], %(all_generations)s::int[]"
            one_of_them = f"(l.collection_id, l.generation) IN (SELECT * FROM unnest({lists}))"
            generation = (
                "(%(all_generations)s::int[])[array_position(%(all_collections)s::text[], found.collection_id)]"
            )
        # Those that became large since they were looked up have left the shared table, perhaps.
        unchanged = f"(SELECT count(*) FROM large_indexes l WHERE {one_of_them}) = %(large)s{self._premise}"
        found = (
            f"SELECT document_id, collection_id, distance FROM ({' UNION ALL '.join(f'({part})' for part in parts)})"
            f" found WHERE {unchanged} ORDER BY distance, document_id LIMIT {self._limit}"
        )
        if not documents:
            return found
        return (
            f"SELECT found.*, d.* FROM ({found}) found CROSS JOIN LATERAL (SELECT payload, internal, created_at,"
            " updated_at FROM documents d WHERE d.collection_id = found.collection_id AND d.document_id ="
            f" found.document_id AND d.generation = {generation} OFFSET 0) d ORDER BY distance, document_id"
        )

    def sample(self) -> str:
        """Return the statement that tries the filter on some documents of the large indexes."""
        each = -(-SAMPLE // len(self._large))
        tried = " UNION ALL ".join(
            f"(SELECT * FROM documents d WHERE {_of_index(place)} ORDER BY document_id LIMIT {each})"
            for place in range(len(self._large))
        )
        return f"SELECT count(*) AS tried, count(*) FILTER (WHERE {self._passing}) AS passing FROM ({tried}) d"

    def _shared_part(self) -> str:
        # One look into the key per index, whatever the planner takes the table for.
        of, around = "{0}.collection_id = %(shared_collection_0)s AND {0}.generation = %(shared_generation_0)s", "{}"
        if len(self._shared) > 1:
            of = "{0}.collection_id = i.collection_id AND {0}.generation = i.generation"
            around = (
                "SELECT near.* FROM unnest(%(collections)s::text[], %(generations)s::int[])"
                " i (collection_id, generation) CROSS JOIN LATERAL ({}) near"
            )
        vectors = (
            "SELECT v.document_id, v.collection_id,"
            f" v.embedding {OPERATORS[self._embedding.metric]} %(vector)s::vector AS distance"
            f" FROM document_vectors v WHERE {of.format('v')} AND v.feature = %(feature)s"
        )
        if self._passing is not None:
            return around.format(self._filtered("shared_0", of.format("d"), vectors))
        return around.format(f"{vectors} ORDER BY distance, document_id LIMIT {self._limit}")

    def _filtered(self, name: str, of_index: str, vectors: str) -> str:
        """Evaluate the filter over all documents that may pass, and compare the vectors of those that do."""
        return (
            "SELECT v.document_id, d.collection_id, v.distance FROM (SELECT document_id, collection_id FROM documents d"
            f" WHERE {of_index}{self._marks.get(name, '')} AND {self._passing} OFFSET 0) d"
            f" CROSS JOIN LATERAL ({vectors} AND v.document_id = d.document_id OFFSET 0) v"
            f" ORDER BY distance, document_id LIMIT {self._limit}"
        )

    def _of_segments(self, layout: Layout) -> str:
        return (
            f"SELECT v.document_id, {self._distance} AS distance FROM {layout.table} v"
            f" WHERE {self._embedding.condition}"
        )

    def _ordered(self, place: int, layout: Layout, looked_at: int) -> str:
        """Go through the vectors in order of distance, and look each one's document up where there is a filter."""
        embedding = self._embedding
        limit = self._limit if embedding.is_exact else self._limit * 4
        ordered = (
            f"SELECT v.document_id, %(large_collection_{place})s AS collection_id, {self._distance} AS distance"
            f" FROM {layout.table} v WHERE {embedding.condition} ORDER BY {embedding.order('%(vector)s')}"
        )
        if self._passing is None:
            return f"{ordered} LIMIT {limit}"
        return (
            f"SELECT v.* FROM ({ordered} LIMIT {looked_at}) v CROSS JOIN LATERAL (SELECT FROM documents d"
            f" WHERE {_of_index(place)} AND d.document_id = v.document_id AND {self._passing} OFFSET 0) d LIMIT {limit}"
        )

    @property
    def _distance(self) -> str:
        dimensions = self._embedding.dimensions
        operator = OPERATORS[self._embedding.metric]
        return f"(v.embedding::vector({dimensions})) {operator} %(vector)s::vector({dimensions})"


def _of_index(place: int) -> str:
    return f"d.collection_id = %(large_collection_{place})s AND d.generation = %(large_generation_{place})s"
