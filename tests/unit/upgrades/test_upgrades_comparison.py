"""A query for which a generation has no vector is told of; it does not end the report on the others."""

from __future__ import annotations

from mixpeek.documents.port import Document
from mixpeek.errors import NotFound
from mixpeek.upgrades.comparison import Asked, stored_vector

STORED = {"doc_1": Document("doc_1", "col_1", {}, {}, vectors={"look": [1.0, 0.0]})}


def test_a_document_is_asked_with_by_its_stored_vector() -> None:
    assert stored_vector(STORED, Asked(None, "doc_1"), "look") == [1.0, 0.0]


def test_a_document_deleted_since_it_was_sampled_has_none() -> None:
    gone = stored_vector(STORED, Asked(None, "doc_2"), "look")

    assert isinstance(gone, NotFound)
    assert gone.message == "No document 'doc_2' here"


def test_a_document_without_that_feature_has_none() -> None:
    missing = stored_vector(STORED, Asked(None, "doc_1"), "sound")

    assert isinstance(missing, NotFound)
    assert missing.message == "No vector of 'sound' for the document 'doc_1' here"
