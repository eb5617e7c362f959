"""What a failed deployment, batch or realtime test tells the author: as text, and in parts."""

from __future__ import annotations

from typing import Any

from mixpeek.errors import MixpeekError
from mixpeek.text import storable

# The innermost frames say most; those of an endless recursion would fill a page.
MOST_FRAMES = 12
MOST_TEXT = 4000
_MOST_NAME = 300


def describe_failure(error: Exception) -> str:
    """Return an error as the author should read it: the message, then the plugin's own frames."""
    if not isinstance(error, MixpeekError):
        return storable(f"{type(error).__name__}: {error}")
    places = [f"  {frame['file']}:{frame['line']} in {frame['function']}" for frame in frames_of(error)]
    return storable("\n".join([error.named, *places]))


def failure_from(error: Exception) -> dict[str, Any]:
    """Return an error in parts: `code`, `message`, `hint`, and the plugin's own `frames`, outermost first.

    An error that only passes on another one names that one's code in `details["cause_code"]`.
    """
    if not isinstance(error, MixpeekError):
        message = f"{type(error).__name__}: {error}"
        return {"code": MixpeekError.code, "message": _cut(message, MOST_TEXT), "hint": None, "frames": []}
    code = error.details.get("cause_code") or error.code
    hint = None if error.hint is None else _cut(error.hint, MOST_TEXT)
    return {"code": code, "message": _cut(error.named, MOST_TEXT), "hint": hint, "frames": frames_of(error)}


def frames_of(error: MixpeekError) -> list[dict[str, Any]]:
    """Return the plugin's own frames: `file` within the plugin, `line`, `function`, `code`; the innermost few."""
    frames = error.details.get("frames")
    given = frames if isinstance(frames, list) else []
    return [
        {
            "file": _cut(frame.get("file"), _MOST_NAME),
            "line": frame.get("line"),
            "function": _cut(frame.get("function"), _MOST_NAME),
            "code": _cut(frame.get("code"), _MOST_NAME) or None,
        }
        for frame in given[-MOST_FRAMES:]
        if isinstance(frame, dict)
    ]


def _cut(text: Any, most: int) -> str:
    return storable(str(text or ""))[:most]
