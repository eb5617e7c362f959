"""The standard library on the platform: publish the extractor, upload the docstrings, run the batch, ask.

Everything here goes through the SDK; this is the part to read for how an application uses the platform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.demo.failure import DemoFailed
from examples.demo.harvest import Entry
from mixpeek import Mixpeek
from mixpeek.client import ApiError, Response

PLUGIN = Path(__file__).resolve().parents[1] / "plugins" / "text_embedding"
NAMESPACE, BUCKET, COLLECTION, RETRIEVER = "stdlib_demo", "docstrings", "docstrings_by_meaning", "by_meaning"
UPLOAD_OBJECTS = 1000
POLL_S = 0.25


@dataclass(frozen=True)
class Answer:
    """One entry that was found; `score` is the cosine of its vector and the question's."""

    name: str
    kind: str
    content: str
    score: float


def find_namespace(client: Mixpeek) -> str | None:
    """Return the id of the namespace an earlier run made and filled, or None on a new server.

    Raises: DemoFailed: an earlier run ended halfway.
    """
    try:
        namespace_id = str(client.namespaces.get(NAMESPACE).namespace_id)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    # The retriever is made last, when all documents are known to be there.
    with Mixpeek(client.api_key, client.base_url, namespace_id) as inside:
        try:
            inside.retrievers.get(RETRIEVER)
        except ApiError as error:
            if error.status != 404:
                raise
            raise DemoFailed("An earlier run in this folder did not finish; remove the folder, then try again") from error
    return namespace_id
