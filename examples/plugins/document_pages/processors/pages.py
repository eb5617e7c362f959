"""Reads PDF documents: from the address in a row to passages of text with their places. No model, no table."""

from collections.abc import Iterator
from dataclasses import dataclass

from pypdf import PdfReader

from shared.plugins import open_asset


@dataclass(frozen=True)
class Passage:
    """A piece of text and where it stands: `page` and `number` count from 1."""

    text: str
    page: int
    number: int
    page_count: int


def read_passages(address: str, most_words: int) -> list[Passage]:
    """Return the passages of a document, in reading order; none where no page holds text.

    Raises: AssetUnavailable: it cannot be read. pypdf.errors.PyPdfError: it is broken, or locked with a password. Let
        both pass: the platform finds the row that raised, records why, and goes on with the others.
    """
    with open_asset(address) as file:
        pages = PdfReader(file).pages
        return [
            Passage(text, page, number, len(pages))
            for page, content in enumerate(pages, start=1)
            for number, text in enumerate(cut(content.extract_text(), most_words), start=1)
        ]


def cut(text: str, most_words: int) -> Iterator[str]:
    """Yield a text in passages of at most `most_words` words, about equally long, so that none is a mere leftover."""
    words = text.split()
    count = -(-len(words) // most_words)
    for number in range(count):
        yield " ".join(words[number * len(words) // count : (number + 1) * len(words) // count])
