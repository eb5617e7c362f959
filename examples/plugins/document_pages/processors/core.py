"""The batch step: takes a table of documents, returns a table of their passages."""

from typing import Any

import pandas as pd

from shared.plugins.sdk import parallel_io

from ..manifest import DocumentPagesParams
from .encoder import load_encoder
from .pages import Passage, read_passages

VECTOR = "document_pages_vector"


class DocumentPagesProcessor:
    """Returns a row for each passage of each document: its text, its place, and its vector of 384 floats."""

    def __init__(self, config: DocumentPagesParams, progress_actor: Any | None = None) -> None:
        self.config = config

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return the passages of the documents in `batch`; `data` holds the address of each document.

        `document_id` says whose passage a row is. Other columns of the document need not be repeated: the platform
        gives them to each of its passages.
        """

        def read(address: str) -> list[Passage]:
            return read_passages(address, self.config.passage_words)

        found = parallel_io(read, batch["data"], max_workers=4)
        passages = [passage for each in found for passage in each]
        # All passages of all documents at once, as the encoder sorts them into groups of like length.
        vectors = load_encoder(self.config.threads).encode([passage.text for passage in passages])
        return pd.DataFrame(
            {
                "document_id": batch["document_id"].repeat([len(each) for each in found]).tolist(),
                VECTOR: list(vectors),
                "text": [passage.text for passage in passages],
                "page": [passage.page for passage in passages],
                "passage": [passage.number for passage in passages],
                "page_count": [passage.page_count for passage in passages],
            }
        )
