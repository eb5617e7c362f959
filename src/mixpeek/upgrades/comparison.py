"""The report before a switch: the same queries asked of both generations, and what only one of them has.

Queries are given, or taken from stored documents: their own inputs, embedded anew by each version as a search would be.
Where an input is no text, the vectors that each generation stored of it are asked with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mixpeek.batches import outcome_queries
from mixpeek.batches.job import recipe_of
from mixpeek.batches.rows import TEXT, row_from_document, rows_from_object
from mixpeek.catalog.queries import find_objects
from mixpeek.collections import queries as collection_queries
from mixpeek.collections import upgrade_queries
from mixpeek.collections.models import Collection, Upgrade
from mixpeek.collections.service import get_collection
from mixpeek.collections.upgrade_states import OPEN
from mixpeek.contract.columns import DATA, MIME_TYPE
from mixpeek.db.pool import Connection, Database
from mixpeek.documents.port import Document, DocumentStore, Index
from mixpeek.errors import Conflict, InvalidRequest, MixpeekError, NotFound, PluginError
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.retrieval.embedding import text_inputs, vector_of
from mixpeek.upgrades.ranking import overlap, rank_correlation, spread
from mixpeek.upgrades.schemas import CompareGenerations
from mixpeek.upgrades.service import get_upgrade

AT = 10
# Ranks are compared among so many of the nearest of each generation.
DEEP = 100
SHOWN = 5
# Queries that a version is asked to embed side by side.
EMBEDDING = 8
# Asks a version for its realtime answer: (version, inputs, parameters) → reply.
Predict = Callable[[PluginVersion, dict[str, Any], dict[str, Any]], Any]


@dataclass(frozen=True)
class Asked:
    """One query: words, or a document whose stored vectors are asked with."""

    text: str | None
    document_id: str | None

    @property
    def shown(self) -> str:
        return self.document_id or "" if self.text is None else self.text[:200]


@dataclass(frozen=True)
class Side:
    """One generation, and what made it."""

    index: Index
    version: PluginVersion
    features: dict[str, dict[str, Any]]  # vector indexes by name


class Comparison:
    """Compares the two generations of an upgrade, and keeps the report with it."""

    def __init__(self, database: Database, documents: DocumentStore, registry: Registry, predict: Predict) -> None:
        self._database = database
        self._documents = documents
        self._registry = registry
        self._predict = predict

    def compare(self, namespace_id: str, identifier: str, body: CompareGenerations) -> dict[str, Any]:
        """Return the report.

        Raises: NotFound: no such collection, or it was never upgraded. Conflict: only one generation is left.
        InvalidRequest: the versions have no feature in common to compare by.
        """
        began = time.perf_counter()
        with self._database.transaction() as connection:
            collection = get_collection(connection, namespace_id, identifier)
            upgrade = get_upgrade(connection, collection)
            if upgrade.at not in OPEN:
                raise Conflict(
                    f"The upgrade of {collection.collection_name!r} is {upgrade.state}: one generation is left",
                    hint="POST …/upgrade begins another one",
                )
            sides = [self._side(connection, collection, g) for g in (upgrade.from_generation, upgrade.to_generation)]
            names = [name for name in sides[0].features if name in sides[1].features]
            if not names:
                raise InvalidRequest("The two versions have no feature of the same name to compare by")
            asked = self._queries(connection, collection, upgrade, sides[0], body)
            report = self._counted(connection, collection, upgrade, sides, asked)
        report["features"] = [self._feature(name, collection, sides, asked) for name in names]
        report["queries"] = {"count": len(asked), "from": "given" if body.queries else "stored documents"}
        report["compared_at"] = datetime.now(UTC).isoformat()
        report["took_ms"] = round((time.perf_counter() - began) * 1000, 1)
        with self._database.transaction() as connection:
            upgrade_queries.set_comparison(connection, upgrade.upgrade_id, report)
        return {"upgrade_id": upgrade.upgrade_id, "state": upgrade.state, **report}

    def _side(self, connection: Connection, collection: Collection, generation: int) -> Side:
        found = collection_queries.find_generation(connection, collection.collection_id, generation)
        if found is None:
            raise Conflict(f"Generation {generation} of {collection.collection_name!r} was dropped")
        version = self._registry.get(connection, found["plugin_namespace"], found["plugin_id"])
        return Side(
            Index(collection.collection_id, generation), version, {each["name"]: each for each in found["features"]}
        )

    def _queries(
        self, connection: Connection, collection: Collection, upgrade: Upgrade, side: Side, body: CompareGenerations
    ) -> list[Asked]:
        if body.queries:
            return [Asked(text, None) for text in body.queries]
        place = (collection.collection_id, upgrade.from_generation, upgrade.to_generation)
        ids = upgrade_queries.sample_shared(connection, *place, body.sample)
        documents = self._documents.fetch(connection, [side.index], ids)
        texts = self._inputs(connection, collection, side, list(documents.values()))
        return [Asked(texts.get(one), one) for one in ids]

    def _inputs(
        self, connection: Connection, collection: Collection, side: Side, documents: list[Document]
    ) -> dict[str, str]:
        """Return the text that each document was made of, by its id; of those made of text."""
        recipe = recipe_of(collection, side.version)
        lineages = [document.internal["lineage"] for document in documents]
        if collection.source["type"] == "bucket":
            objects = find_objects(connection, [one["root_object_id"] for one in lineages])
            rows = [row for stored in objects for row in rows_from_object(stored, recipe)]
        else:
            sources = [
                collection_queries.find_collection(connection, collection.namespace_id, each)
                for each in collection.source["collection_ids"]
            ]
            indexes = [Index(one.collection_id, one.live_generation) for one in sources if one is not None]
            ids = [one["source_document_id"] for one in lineages]
            rows = [
                row_from_document(each, recipe) for each in self._documents.fetch(connection, indexes, ids).values()
            ]
        return {
            row.document_id: row.columns[DATA]
            for row in rows
            if row.columns[MIME_TYPE] == TEXT and isinstance(row.columns[DATA], str) and row.columns[DATA].strip()
        }

    def _counted(
        self,
        connection: Connection,
        collection: Collection,
        upgrade: Upgrade,
        sides: list[Side],
        asked: list[Asked],
    ) -> dict[str, Any]:
        place = (collection.collection_id, upgrade.from_generation, upgrade.to_generation)
        causes = outcome_queries.count_failed(connection, collection.collection_id, upgrade.to_generation)
        sampled = [one.document_id for one in asked if one.document_id]
        keys = [
            {key for each in self._documents.fetch(connection, [side.index], sampled).values() for key in each.payload}
            for side in sides
        ]
        return {
            "from_plugin_id": upgrade.from_plugin_id,
            "to_plugin_id": upgrade.to_plugin_id,
            "documents": {
                **upgrade_queries.count_keys(connection, *place),
                "only_before_ids": upgrade_queries.list_only_in(connection, *place, SHOWN),
                "only_after_ids": upgrade_queries.list_only_in(connection, place[0], place[2], place[1], SHOWN),
            },
            "fields": {"added": sorted(keys[1] - keys[0]), "removed": sorted(keys[0] - keys[1])},
            "failed_rows": sum(causes.values()),
            "causes": causes,
        }

    def _feature(self, name: str, collection: Collection, sides: list[Side], asked: list[Asked]) -> dict[str, Any]:
        overlaps, correlations, answers = list[float](), list[float](), list[dict[str, Any]]()
        unanswered = list[dict[str, Any]]()
        rankings = [self._rankings(name, collection, side, asked) for side in sides]
        for query, before, after in zip(asked, *rankings, strict=True):
            if isinstance(before, MixpeekError) or isinstance(after, MixpeekError):
                fault = before if isinstance(before, MixpeekError) else after
                assert isinstance(fault, MixpeekError)
                unanswered.append({"query": query.shown, "why": fault.message[:500]})
                continue
            overlaps.append(overlap(before, after, AT))
            correlation = rank_correlation(before, after)
            if correlation is not None:
                correlations.append(correlation)
            answers.append(
                {
                    "query": query.shown,
                    "overlap_at_10": overlaps[-1],
                    "rank_correlation": correlation if correlation is None else round(correlation, 4),
                    "lost": [one for one in before[:AT] if one not in after[:AT]],
                    "gained": [one for one in after[:AT] if one not in before[:AT]],
                }
            )
        answers.sort(key=lambda answer: (answer["overlap_at_10"], answer["query"]))
        return {
            "name": name,
            "overlap_at_10": spread(overlaps),
            "rank_correlation": spread(correlations),
            "worst": answers[:SHOWN],
            "unanswered": len(unanswered),
            "unanswered_first": unanswered[:SHOWN],
        }

    def _rankings(
        self, name: str, collection: Collection, side: Side, asked: list[Asked]
    ) -> list[list[str] | MixpeekError]:
        """Return, for each query, the ids of the documents nearest to it, or why there is no vector to ask with.

        The document that a query was taken from is left out.
        """

        def embed(query: Asked) -> list[float] | PluginError | None:
            try:
                return None if query.text is None else self._embed(name, collection, side.version, query.text)
            except PluginError as fault:
                return fault

        # Before the transaction, so that no plugin is waited for within it.
        with ThreadPoolExecutor(EMBEDDING, thread_name_prefix="compare") as pool:
            embedded = list(pool.map(embed, asked))
        with self._database.transaction() as connection:
            ids = [query.document_id or "" for query in asked if query.text is None]
            stored = self._documents.fetch(connection, [side.index], ids, vectors=True)
            metric = side.features[name]["distance"]
            rankings = list[list[str] | MixpeekError]()
            for query, vector in zip(asked, embedded, strict=True):
                asked_with = stored_vector(stored, query, name) if vector is None else vector
                if isinstance(asked_with, MixpeekError):
                    rankings.append(asked_with)
                    continue
                hits = self._documents.search(connection, [side.index], name, asked_with, metric, DEEP + 1)
                rankings.append([hit.document_id for hit in hits if hit.document_id != query.document_id][:DEEP])
        return rankings

    def _embed(self, name: str, collection: Collection, version: PluginVersion, text: str) -> list[float]:
        reply = self._predict(version, text_inputs(text, version), collection.feature_extractor["parameters"])
        return vector_of(reply, version, name)


def stored_vector(stored: dict[str, Document], query: Asked, name: str) -> Sequence[float] | NotFound:
    """Return the vector that a generation has of the query's document, or what came of it since it was sampled."""
    document = stored.get(query.document_id or "")
    vector = None if document is None else document.vectors.get(name)
    if vector is not None:
        return vector
    resource = "document" if document is None else f"vector of {name!r} for the document"
    return NotFound(resource, query.document_id or "", hint="Compare again: it was changed or deleted meanwhile")
