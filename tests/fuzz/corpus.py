"""The inputs worth keeping: a small set that reaches all the code which the whole found set reaches."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

FOLDER = Path(__file__).parent / "corpus"
# Inputs that once broke a target; put there by hand, and never minimised away.
BROKEN = Path(__file__).parent / "broken"
MAX_FILES = 45
MAX_FILE_BYTES = 8 * 1024

Edge = tuple[str, int, int]


def committed(target: str) -> list[bytes]:
    """Return the committed inputs of a target, in the order of their names."""
    folders = (FOLDER / target, BROKEN / target)
    return [path.read_bytes() for folder in folders for path in sorted(folder.glob("*")) if path.is_file()]


def keep(target: str, inputs: Iterable[bytes]) -> int:
    """Write the inputs as the target's corpus, in place of what was there, and return how many there are."""
    folder = FOLDER / target
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    count = 0
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        count += 1
    return count


def smallest_cover(run: Callable[[bytes], None], inputs: Iterable[bytes]) -> list[bytes]:
    """Return few inputs that together pass all the edges between lines that the whole set passes."""
    reached: dict[bytes, set[Edge]] = {}
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        if len(data) <= MAX_FILE_BYTES:
            reached[data] = edges(run, data)
    chosen: list[bytes] = []
    seen: set[Edge] = set()
    while reached and len(chosen) < MAX_FILES:
        best = max(reached, key=lambda data: len(reached[data] - seen))
        new = reached.pop(best) - seen
        if not new:
            break
        chosen.append(best)
        seen |= new
    return chosen


def edges(run: Callable[[bytes], None], data: bytes) -> set[Edge]:
    """Return the pairs of lines of this package that follow one another while the input is run."""
    found: set[Edge] = set()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if "/mixpeek/" not in name:
            return None
        if event == "line":
            found.add((name, last.get(frame, 0), frame.f_lineno))
            last[frame] = frame.f_lineno
        elif event == "return":
            last.pop(frame, None)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run(data)
    except Exception:
        found.add(("failed", 0, 0))
    finally:
        sys.settrace(before)
    return found
