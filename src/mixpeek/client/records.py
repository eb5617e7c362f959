"""What the server's answers hold, as types: the JSON stays as it came, with keys that are newer than this client too.

Each is a `Response`, so `batch.status` and `batch["status"]` are the same; what is declared here, an editor completes
and a type checker knows. Nested objects are plain `Response`s. A test compares the keys with what the server documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from mixpeek.client.response import Response

ENDED = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED"})


class Namespace(Response):
    """A namespace and how much it holds."""

    namespace_id: str
    namespace_name: str
    description: str | None
    bucket_count: int
    collection_count: int
    object_count: int
    document_count: int
    created_at: str
    updated_at: str


class Bucket(Response):
    """A bucket and how much it holds."""

    bucket_id: str
    bucket_name: str
    description: str | None
    bucket_schema: Response
    unique_key: Response | None
    metadata: Response
    object_count: int
    total_size_bytes: int
    status: str
    created_at: str
    updated_at: str
    last_upload_at: str | None


class StoredObject(Response):
    """An object; the fields of its bucket's schema are at the root beside these."""

    object_id: str
    bucket_id: str
    key_prefix: str | None
    blobs: Sequence[Response]
    metadata: Response
    status: str
    error: str | None
    created_at: str
    updated_at: str


class ObjectsCreated(Response):
    """What became of each object of a request; a failure names its `object_index`, from 0."""

    succeeded: Sequence[Response]
    failed: Sequence[Response]
    total_requested: int
    succeeded_count: int
    failed_count: int


class Upload(Response):
    """A place to put one file of a bucket, or the word that it is there already."""

    upload_id: str
    presigned_url: str | None
    is_duplicate: bool
    object_id: str | None


class Collection(Response):
    """A collection: where its objects come from, what extracts their features, what can be searched."""

    collection_id: str
    collection_name: str
    description: str | None
    input_schema: Response
    output_schema: Response
    feature_extractor: Response
    source: Response
    vector_indexes: Sequence[Response]
    enabled: bool
    metadata: Response
    document_count: int
    schema_version: int
    created_at: str
    updated_at: str


class Upgrade(Response):
    """A generation of a collection built by another version, until one of the two generations is dropped."""

    upgrade_id: str
    collection_id: str
    state: str
    from_generation: int
    to_generation: int
    from_plugin_id: str
    to_plugin_id: str
    batch_id: str | None
    task_id: str | None
    error: str | None
    behind: str | None
    incomplete: str | None
    failed_rows: int
    causes: Response
    progress: Response | None
    comparison: Response | None
    timeline: Sequence[Response]
    created_at: str
    updated_at: str


class UpgradePlan(Response):
    """What an upgrade would change; `upgrade` is null until one is started."""

    collection_id: str
    collection_name: str
    from_plugin_id: str
    to_plugin_id: str
    objects: int
    source_documents: int
    documents: int
    features: Sequence[Response]
    fields: Response
    retrievers: Sequence[Response]
    readers: Sequence[str]
    warnings: Sequence[str]
    blockers: Sequence[str]
    message: str
    upgrade: Response | None


class Comparison(Response):
    """The two generations of an upgrade beside each other."""

    upgrade_id: str
    state: str
    from_plugin_id: str
    to_plugin_id: str
    documents: Response
    fields: Response
    failed_rows: int
    causes: Response
    features: Sequence[Response]
    queries: Response
    compared_at: str
    took_ms: float


class Triggered(Response):
    """A batch over a collection's source that is queued."""

    batch_id: str
    task_id: str
    collection_id: str
    source_bucket_ids: Sequence[str]
    object_count: int
    message: str


class Batch(Response):
    """A batch and where it stands; `progress` counts what is planned and done."""

    batch_id: str
    type: str
    bucket_id: str | None
    collection_ids: Sequence[str]
    object_ids: Sequence[str]
    status: str
    error: str | None
    error_summary: Mapping[str, int]
    task_id: str | None
    progress: Response
    created_at: str
    updated_at: str

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more without a retry."""
        return has_ended(self)


class FailedDocument(Response):
    """A row that did not become a document; `cause` is a word to count by."""

    collection_id: str
    document_id: str
    object_id: str
    blob_id: str | None
    outcome: str
    cause: str
    message: str
    details: Response


class FailedDocuments(Response):
    """A page of the rows of a batch that did not become documents."""

    batch_id: str
    failed_documents: Sequence[FailedDocument]
    causes: Mapping[str, int]
    total: int


class Document(Response):
    """A document; what its extractor made and what was kept of its object is at the root beside these."""

    document_id: str
    collection_id: str
    document_blobs: Sequence[Response]


class Task(Response):
    """How a piece of work stands that goes on after its request was answered."""

    task_id: str
    task_type: str
    status: str
    inputs: Sequence[Response]
    outputs: Sequence[Response]
    additional_data: Response
    error: str | None
    created_at: str
    updated_at: str

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return has_ended(self)


Item = TypeVar("Item", bound=Response)


class Page(Response, Generic[Item]):
    """One page of a list."""

    results: Sequence[Item]

    @property
    def next_cursor(self) -> str | None:
        """What to ask for the next page with; None on the last one."""
        pagination = self.get("pagination")
        cursor = pagination.get("next_cursor") if isinstance(pagination, dict) else None
        return str(cursor) if cursor else None


def page_of(kind: type[Item], answer: Response) -> Page[Item]:
    """Return an answer as a page of `kind`."""
    page: Page[Item] = Page(answer)
    if isinstance(found := page.get("results"), list):
        page["results"] = [kind(each) for each in found]
    return page


def has_ended(answer: Mapping[str, Any]) -> bool:
    """Tell whether a batch or a task says that it has come to its end, well or not."""
    return str(answer.get("status")).upper() in ENDED
