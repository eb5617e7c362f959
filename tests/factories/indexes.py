"""What makes an empty index of documents, of a collection of its own."""

from __future__ import annotations

from collections.abc import Callable

from mixpeek.documents.port import Index

NewIndex = Callable[[], Index]
