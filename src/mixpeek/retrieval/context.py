"""What an execution has at hand: one reading of the database, the plugins, and what it has said so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from psycopg.pq import TransactionStatus

from mixpeek.db.pool import Connection, Database
from mixpeek.documents.port import Document, DocumentStore, Index, Premise
from mixpeek.errors import RequestError
from mixpeek.filters.query import Query
from mixpeek.registry.models import PluginVersion
from mixpeek.retrieval.embedding import VectorCache
from mixpeek.retrieval.known_retrievers import KnownRetrievers
from mixpeek.retrieval.results import Flow, Result, Scan
from mixpeek.retrieval.sorting import merge_sorted
from mixpeek.retrieval.targets import Bound, Target

# No stage looks at more documents than these; what is left out is said.
MOST_RESULTS = 10_000


class OverBudget(RequestError):
    """The execution took longer than the retriever's `budget_limits.max_time_ms`."""

    code = "retriever.over_budget"
    hint = "Raise `budget_limits.max_time_ms`, filter earlier, or ask for fewer documents"


@dataclass(frozen=True)
class HttpAnswer:
    """What an address outside answered."""

    status: int
    body: bytes


class Outside(Protocol):
    """The way to other servers, which judges every address it connects to."""

    def __call__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        timeout_s: float,
        most_bytes: int,
    ) -> HttpAnswer:
        """Return the answer to one request; raise OutsideFailed."""


@dataclass(frozen=True)
class Tools:
    """What executions are given by the process they run in.

    Args:
        predict: asks a plugin version: (version, inputs, parameters) → reply.
        infer: asks whatever a plugin's name leads to: (namespace id, name, inputs, parameters) → reply.
        reveal: returns a secret: (connection, namespace id, name) → value.
    """

    find_version: Callable[[Connection, str, str], PluginVersion]
    predict: Callable[[PluginVersion, dict[str, Any], dict[str, Any]], Any]
    infer: Callable[[str, str, dict[str, Any], dict[str, Any]], Any]
    reveal: Callable[[Connection, str, str], str]
    outside: Outside
    vectors: VectorCache
    retrievers: KnownRetrievers


class Reading:
    """A connection that is held while the database is asked, and not while anything else is waited for.

    Each statement is a transaction of its own, unless there is a deadline: then a transaction carries it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._transaction: AbstractContextManager[Any] | None = None
        self._connection: Connection | None = None
        # When the database is to give up, by `time.perf_counter`.
        self.deadline: float | None = None

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.take_for_reading()
            self.limit()
        return self._connection

    def limit(self) -> None:
        """Have statements end at the deadline, if there is one."""
        if self.deadline is not None and self._connection is not None:
            if self._connection.info.transaction_status == TransactionStatus.IDLE:
                transaction = self._connection.transaction()
                transaction.__enter__()
                self._transaction = transaction
            left_ms = max(1, int((self.deadline - time.perf_counter()) * 1000))
            self._connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(left_ms)])

    def release(self) -> None:
        """Give the connection back; the next use takes another."""
        self._end(None, None, None)

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._end(*raised)

    def _end(self, *raised: Any) -> None:
        connection, transaction, self._connection, self._transaction = self._connection, self._transaction, None, None
        if connection is None:
            return
        try:
            if transaction is not None:
                transaction.__exit__(*raised)
        finally:
            self._database.give_back(connection)


@dataclass
class Context:
    """One execution, as its stages see it; `targets` stay what they were when it began."""

    namespace_id: str
    about: dict[str, Any]
    reading: Reading
    store: DocumentStore
    tools: Tools
    targets: list[Target]
    bound: Bound
    inputs: dict[str, Any]
    # Executes another retriever for a document: (this, id, name or definition, inputs) → its best one as answered.
    nested: Callable[[Context, Any, dict[str, Any]], dict[str, Any] | None]
    deadline: float | None = None
    depth: int = 0
    # What was remembered of the retriever and not looked up; confirmed by a search that found something.
    premise: Premise | None = None
    is_confirmed: bool = False
    warnings: list[str] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)
    facets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    groups: list[dict[str, Any]] | None = None
    aggregations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    # Of the stage under way.
    stage_name: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    cache_hits: int = 0

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    def check_time(self) -> None:
        """Raise OverBudget once the retriever's time is over."""
        if self.deadline is not None and time.perf_counter() > self.deadline:
            raise OverBudget(stage=self.stage_name)

    def reveal(self, secret: str) -> str:
        """Return a secret that the namespace may read; raise NotFound or SecretNotGranted."""
        return self.tools.reveal(self.reading.connection, self.namespace_id, secret)

    def indexes(self) -> list[Index]:
        return [target.index for target in self.targets]

    def load(self, results: Sequence[Result], *, vectors: bool = False) -> list[Result]:
        """Return results with their documents read; those that have gone meanwhile are left out."""
        unread = [each.document_id for each in results if each.stored is None or (vectors and not each.stored.vectors)]
        if unread:
            found = self.store.fetch(self.reading.connection, self.indexes(), unread, vectors=vectors)
            for each in results:
                each.stored = found.get(each.document_id, each.stored)
        return [each for each in results if each.stored is not None]

    def results_of(self, flow: Flow) -> list[Result]:
        """Return the documents of a flow, read if need be; a scan ends at MOST_RESULTS, which is said."""
        if not isinstance(flow, Scan):
            return self.load(flow)
        wanted = MOST_RESULTS if flow.limit is None else min(flow.limit, MOST_RESULTS)
        # Of several collections any may hold the first ones.
        most = flow.offset + wanted
        rows, is_more = list[Document](), False
        for target in self.targets:
            limit = most if flow.sort else max(1, most - len(rows))
            page = self.store.query(self.reading.connection, target.index, Query(limit, flow.where, sort=flow.sort))
            rows = merge_sorted([rows, page.rows], flow.sort)
            is_more = is_more or page.after is not None or len(rows) > most
            # Of many collections never more is held than of two.
            del rows[most:]
        if is_more and (flow.limit is None or flow.limit > MOST_RESULTS):
            self.warn(
                f"More than {MOST_RESULTS:,} documents pass the filter; the first {MOST_RESULTS:,} were looked at"
            )
        return [Result(row.document_id, row.collection_id, 0.0, stored=row) for row in rows[flow.offset :]]
