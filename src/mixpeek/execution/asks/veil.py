"""Keeps the secrets that a host was given out of what is kept of its words: its log, its errors, how it ended."""

from __future__ import annotations

from mixpeek.logging import SHORTEST_HIDDEN, spellings


class Veil:
    """The texts of one host that nobody should read; a short one would hide words that have nothing to do with it."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def hide(self, text: str) -> None:
        """Cover this text, of 6 characters or more, from here on, also where it stands quoted."""
        if len(text) >= SHORTEST_HIDDEN:
            lines = (line for line in text.splitlines() if len(line) >= SHORTEST_HIDDEN)
            known = {*self._texts, *spellings(text), *lines}
            # Longest first: a part of a text must not be covered before the whole.
            self._texts = sorted(known, key=len, reverse=True)

    def cover(self, words: str) -> str:
        """Return words with `***` for every hidden text."""
        for text in self._texts:
            words = words.replace(text, "***")
        return words

    def cover_bytes(self, words: bytes) -> bytes:
        """Return words in UTF-8 with `***` for every hidden text."""
        for text in self._texts:
            words = words.replace(text.encode("utf-8", "replace"), b"***")
        return words

    @property
    def hides(self) -> bool:
        """Whether there is anything to cover."""
        return bool(self._texts)
