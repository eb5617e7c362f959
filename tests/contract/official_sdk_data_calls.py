"""Run by the official SDK's own Python: lists, documents, tasks and namespaces, by its generated and its short client.

Usage: official_sdk_data_calls.py URL KEY NAMESPACE COLLECTION TASK; the collection holds documents of several topics.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from mixpeek import (
    AggregationOperation,
    ApiClient,
    BatchDeleteDocumentsRequest,
    BatchDocumentUpdate,
    BatchUpdateDocumentsRequest,
    BulkUpdateDocumentsRequest,
    CollectionDocumentsApi,
    Configuration,
    DocumentAggregationRequest,
    DocumentCreateRequest,
    DocumentLineageApi,
    GroupByField,
    ListDocumentsRequest,
    ListNamespacesRequest,
    ListRetrieversRequest,
    ListTasksRequest,
    LogicalOperatorInput,
    Mixpeek,
    NamespacesApi,
    PatchNamespaceRequest,
    RetrieversApi,
    SortOption,
    TasksApi,
    UpdateNamespaceRequest,
)


def main(url: str, key: str, namespace: str, collection: str, task: str) -> dict[str, Any]:
    api = ApiClient(Configuration(host=url))
    auth = {"authorization": f"Bearer {key}"}
    return {
        "documents": documents(api, {**auth, "x_namespace": namespace}, collection),
        "tasks": tasks(TasksApi(api), auth, task),
        "namespaces": namespaces(NamespacesApi(api), auth, namespace),
        "retrievers": RetrieversApi(api)
        .list_retrievers(list_retrievers_request=ListRetrieversRequest(search="near"), x_namespace=namespace, **auth)
        .to_dict(),
        "short": short(Mixpeek(key, namespace=namespace, base_url=f"{url}/v1"), collection),
    }


def documents(api: ApiClient, auth: dict[str, str], collection: str) -> dict[str, Any]:
    """Make every call on documents that there is."""
    calls = CollectionDocumentsApi(api)
    wanted = ListDocumentsRequest(
        filters=LogicalOperatorInput.from_dict({"topic": "fruit"}),
        sort=SortOption(field="content", direction="desc"),
        select=["content"],
        limit=1,
    )
    first = calls.list_documents(collection, include_total=True, list_documents_request=wanted, **auth)
    grouped = calls.list_documents(collection, list_documents_request=ListDocumentsRequest(group_by="topic"), **auth)
    one = calls.get_document(collection, first.results[0].document_id, return_vectors=True, **auth)
    made = calls.create_document(
        collection, DocumentCreateRequest.from_dict({"collection_id": collection, "topic": "own"}), **auth
    )
    own = made.document_id
    patched = calls.patch_document(collection, own, {"note": 1}, **auth)
    put = calls.update_document(collection, own, {"topic": "own", "note": 2}, **auth)
    bulk = calls.bulk_update(
        collection,
        BulkUpdateDocumentsRequest(filters=LogicalOperatorInput.from_dict({"topic": "own"}), update_data={"a": 1}),
        **auth,
    )
    update = BatchDocumentUpdate(document_id=own, update_data={"b": 1})
    batch = calls.batch_update(collection, BatchUpdateDocumentsRequest(updates=[update]), **auth)
    aggregated = calls.aggregate_documents(
        collection,
        DocumentAggregationRequest(
            group_by=[GroupByField(field="topic")], aggregations=[AggregationOperation(function="count", alias="n")]
        ),
        **auth,
    )
    lineage = DocumentLineageApi(api).get_document_lineage(collection, one.document_id, **auth)
    removed = calls.batch_delete(collection, BatchDeleteDocumentsRequest(document_ids=[own, "doc_absent"]), **auth)
    again = calls.create_document(collection, DocumentCreateRequest(collection_id=collection), **auth)
    deleted = calls.delete_document(collection, again.document_id, **auth)
    return {
        "first": first.to_dict(),
        "grouped": grouped.to_dict(),
        "one": one.to_dict(),
        "patched": patched.to_dict(),
        "put": put.to_dict(),
        "bulk": bulk.to_dict(),
        "batch": batch.to_dict(),
        "aggregated": aggregated.to_dict(),
        "lineage": lineage,
        "removed": removed.to_dict(),
        "deleted": deleted.to_dict(),
    }


def tasks(api: TasksApi, auth: dict[str, str], task: str) -> dict[str, Any]:
    listed = api.list_tasks(list_tasks_request=ListTasksRequest(status="COMPLETED", search=task), **auth)
    return {
        "one": api.get_task(task, **auth).to_dict(),
        "listed": listed.to_dict(),
        "killed": api.kill_task(task, **auth).to_dict(),
    }


def namespaces(api: NamespacesApi, auth: dict[str, str], namespace: str) -> dict[str, Any]:
    return {
        "one": api.get_namespace(namespace, **auth).to_dict(),
        "patched": api.patch_namespace(namespace, PatchNamespaceRequest(description="by the SDK"), **auth).to_dict(),
        "put": api.update_namespace(namespace, UpdateNamespaceRequest(payload_indexes=[]), **auth).to_dict(),
        "listed": api.list_namespaces(
            list_namespaces_request=ListNamespacesRequest(filters={"namespace_id": namespace}), **auth
        ).to_dict(),
    }


def short(client: Mixpeek, collection: str) -> dict[str, Any]:
    """Make the calls of the client that writes `name` for every name."""
    made = client.namespaces.create(name=f"{client.namespace}_short")
    page = client.documents.list(collection, page_size=1)
    document = page["results"][0]["document_id"]
    return {
        "namespace": client.namespaces.get(made["namespace_id"])["namespace_name"],
        "deleted": client.namespaces.delete(made["namespace_id"]),
        "listed": [each["namespace_id"] for each in client.namespaces.list()["results"]],
        "bucket": client.buckets.create(name="short", bucket_schema={"properties": {"a": {"type": "text"}}}),
        "page": page,
        "updated": client.documents.update(collection, document, update_data={"short": True}),
        "batch": client.documents.batch_update(
            collection, updates=[{"document_id": document, "update_data": {"short": False}}]
        ),
        "document": client.documents.get(collection, document),
        "retrievers": client.retrievers.list(),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:]), default=str))
