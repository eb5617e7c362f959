"""Which text PostgreSQL's JSON cannot hold (the NUL character and lone surrogates), and what to put in its place."""

from __future__ import annotations

from typing import Any


def fault_of_text(value: Any, path: str = "") -> str | None:
    """Return where in a JSON-like value unstorable text stands and what it is, or None."""
    if isinstance(value, str):
        if "\x00" in value:
            return f"{path or 'the text'} holds the NUL character \\u0000"
        try:
            value.encode()
        except UnicodeEncodeError as error:
            return f"{path or 'the text'} holds a lone surrogate at position {error.start}"
        return None
    if isinstance(value, dict):
        items = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
        return next((fault for key in value if (fault := fault_of_text(str(key), path))), None) or next(
            (fault for place, item in items if (fault := fault_of_text(item, place))), None
        )
    if isinstance(value, list | tuple):
        places = ((f"{path}[{index}]", item) for index, item in enumerate(value))
        return next((fault for place, item in places if (fault := fault_of_text(item, place))), None)
    return None


def storable(text: str) -> str:
    """Return text with a question mark in place of what PostgreSQL cannot hold."""
    return text.replace("\x00", "?").encode(errors="replace").decode()
