"""What is asked of a Qdrant cluster, in its client's words: spaces made, points written, searched, read and deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mixpeek.documents.qdrant.errors import VectorStoreAway, VectorStoreRefused
from mixpeek.documents.qdrant.points import PREFIX, Point, Space, Vector, compared, payload_of, score_of, written

if TYPE_CHECKING:
    from qdrant_client import QdrantClient
    from qdrant_client.models import Filter

# Points in one request.
AT_ONCE = 256
_LEAST_CANDIDATES = 200
_FOUND = ["collection", "generation", "document", "version"]


class Cluster:
    """Spaces of one cluster; each is made with the first vector that belongs into it.

    Args: shards, replicas: of spaces that are made; None leaves it to the cluster.
    Raises, from every method: VectorStoreAway, VectorStoreRefused.
    """

    def __init__(self, client: QdrantClient, *, shards: int | None = None, replicas: int | None = None) -> None:
        self._client = client
        self._shards = shards
        self._replicas = replicas
        self._known: set[str] = set()
        self._making = threading.Lock()

    def write(self, space: Space, points: Sequence[tuple[Point, Vector]]) -> None:
        """Write points, and return once they are found."""
        from qdrant_client.models import PointStruct

        self._make(space)
        for start in range(0, len(points), AT_ONCE):
            some = [
                PointStruct(id=point.id, vector=compared(vector, space.metric), payload=payload_of(point, vector))
                for point, vector in points[start : start + AT_ONCE]
            ]
            with _faults():
                self._client.upsert(space.name, some, wait=True)

    def nearest(
        self,
        space: Space,
        places: Sequence[str],
        vector: Vector,
        limit: int,
        *,
        among: Sequence[str] | None = None,
    ) -> list[tuple[dict[str, Any], float]]:
        """Return what is stored beside the nearest vectors, each with its score, best first.

        Args: among: ids of points; of these alone, and then exactly.
        """
        from qdrant_client.models import FieldCondition, HasIdCondition, MatchAny, SearchParams
        from qdrant_client.models import Filter as Condition

        if not self._exists(space):
            return []
        must: list[Any] = [FieldCondition(key="place", match=MatchAny(any=list(places)))]
        if among is not None:
            must.append(HasIdCondition(has_id=list(among)))
        with _faults():
            found = self._client.query_points(
                space.name,
                query=compared(vector, space.metric),
                query_filter=Condition(must=must),
                limit=limit,
                with_payload=_FOUND,
                search_params=SearchParams(hnsw_ef=max(limit, _LEAST_CANDIDATES), exact=among is not None),
            ).points
        return [(point.payload or {}, score_of(point.score, space.metric)) for point in found]

    def read(self, space: Space, points: Mapping[str, Point]) -> Iterator[tuple[Point, list[float]]]:
        """Yield the vectors of points, by their ids, as they were written; those that are not there are left out."""
        ids = list(points)
        for start in range(0, len(ids), AT_ONCE):
            with _faults():
                found = self._client.retrieve(
                    space.name, ids[start : start + AT_ONCE], with_payload=["raw"], with_vectors=True
                )
            for record in found:
                yield points[str(record.id)], written(record.vector, record.payload or {})  # type: ignore[arg-type]

    def delete(self, space: Space, ids: Sequence[str]) -> None:
        """Delete points; those that are not there are no error."""
        from qdrant_client.models import PointIdsList

        if self._exists(space):
            with _faults():
                self._client.delete(space.name, PointIdsList(points=list(ids)), wait=True)

    def delete_write(self, space: Space, version: int) -> None:
        """Delete every point that one write made."""
        from qdrant_client.models import FieldCondition, FilterSelector, MatchValue
        from qdrant_client.models import Filter as Condition

        made_by: Filter = Condition(must=[FieldCondition(key="version", match=MatchValue(value=version))])
        if self._exists(space):
            with _faults():
                self._client.delete(space.name, FilterSelector(filter=made_by), wait=True)

    def check(self) -> None:
        """Raise VectorStoreAway unless the cluster answers."""
        with _faults():
            self._client.get_collections()

    def count(self) -> int:
        """Count the points of every space, those included that wait to be swept."""
        with _faults():
            names = [each.name for each in self._client.get_collections().collections if each.name.startswith(PREFIX)]
            return sum(self._client.count(name, exact=True).count for name in names)

    def close(self) -> None:
        self._client.close()

    def _exists(self, space: Space) -> bool:
        if space.name not in self._known:
            with _faults():
                if not self._client.collection_exists(space.name):
                    return False
            self._known.add(space.name)
        return True

    def _make(self, space: Space) -> None:
        from qdrant_client.models import Distance, KeywordIndexParams, KeywordIndexType, PayloadSchemaType, VectorParams

        with self._making:
            if self._exists(space):
                return
            # Unit vectors have the product for their cosine; Qdrant's own cosine would not give back what was written.
            distance = Distance.EUCLID if space.metric == "euclidean" else Distance.DOT
            try:
                with _faults():
                    self._client.create_collection(
                        space.name,
                        vectors_config=VectorParams(size=space.dimensions, distance=distance, on_disk=True),
                        shard_number=self._shards,
                        replication_factor=self._replicas,
                        on_disk_payload=True,
                    )
            except VectorStoreRefused:
                if not self._exists(space):  # else another process was quicker
                    raise
            place = KeywordIndexParams(type=KeywordIndexType.KEYWORD, is_tenant=True)
            with _faults():
                self._client.create_payload_index(space.name, "place", place, wait=True)
                self._client.create_payload_index(space.name, "version", PayloadSchemaType.INTEGER, wait=True)
            self._known.add(space.name)


@contextmanager
def _faults() -> Iterator[None]:
    """Tell the client's errors in our words."""
    import httpx
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    try:
        yield
    except UnexpectedResponse as error:
        told = str(error).splitlines()[0][:300]
        if error.status_code is None or error.status_code >= 500 or error.status_code == 429:
            raise VectorStoreAway(f"The store of vectors does not answer: {told}") from error
        raise VectorStoreRefused(f"The store of vectors refuses: {told}") from error
    except (ResponseHandlingException, httpx.HTTPError, ConnectionError) as error:
        raise VectorStoreAway(f"The store of vectors does not answer: {str(error)[:300]}") from error
