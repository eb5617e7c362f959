"""What the client declares of an answer is what the server documents."""

from __future__ import annotations

import typing
from typing import Any

import pytest
from pydantic import BaseModel

from mixpeek.api.schemas import batches, buckets, collections, documents, namespaces, tasks, upgrades
from mixpeek.client import records

DOCUMENTED: list[tuple[type[Any], type[BaseModel]]] = [
    (records.Namespace, namespaces.Namespace),
    (records.Bucket, buckets.Bucket),
    (records.StoredObject, buckets.StoredObject),
    (records.ObjectsCreated, buckets.ObjectsCreated),
    (records.Upload, buckets.BucketUploadOpened),
    (records.Collection, collections.Collection),
    (records.Triggered, collections.CollectionTriggered),
    (records.Upgrade, upgrades.Upgrade),
    (records.UpgradePlan, upgrades.UpgradePlan),
    (records.Comparison, upgrades.ComparisonReport),
    (records.Batch, batches.BatchWithProgress),
    (records.FailedDocument, batches.FailedDocument),
    (records.FailedDocuments, batches.FailedDocuments),
    (records.Document, documents.Document),
    (records.Task, tasks.Task),
]


@pytest.mark.parametrize(("record", "answer"), DOCUMENTED, ids=lambda each: each.__name__)
def test_every_key_declared_is_documented_and_may_be_null_where_that_is(
    record: type[Any], answer: type[BaseModel]
) -> None:
    declared = typing.get_type_hints(record)

    assert sorted(set(declared) - set(answer.model_fields)) == []
    nullable = {name for name, field in answer.model_fields.items() if _may_be_none(field.annotation)}
    assert {name for name in declared if name in nullable and not _may_be_none(declared[name])} == set()


def _may_be_none(hint: Any) -> bool:
    return hint is type(None) or hint is None or type(None) in typing.get_args(hint)
