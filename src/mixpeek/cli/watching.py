"""Waiting for a save: looks at a plugin's files several times a second.

Looking is enough here: a plugin has some hundred files, which take a few milliseconds, and unlike the kernel's
notices it works the same on every file system, in containers and on network drives, and needs no package.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from mixpeek.inspection.limits import ArchiveRefused
from mixpeek.inspection.pack import list_packed

_LOOK_S = 0.05
# An editor writes a file in several steps, and several files after another.
_SETTLED_S = 0.03

Snapshot = dict[str, tuple[int, int, int]]


def look(folder: Path, others: Iterable[Path] = ()) -> Snapshot:
    """Return what tells a changed file from itself, for each file that would be packed and for the others."""
    try:
        paths = [folder / name for name in list_packed(folder)]
    except (ArchiveRefused, OSError):
        # What cannot be packed is watched whole, so that its repair is noticed.
        paths = [path for path in folder.rglob("*") if "/." not in path.as_posix()]
    for other in others:
        paths += [other, *(other.rglob("*") if other.is_dir() else ())]
    found: Snapshot = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # removed between listing and looking; the next look says so
        found[str(path)] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


async def wait_for_save(folder: Path, others: Iterable[Path], known: Snapshot) -> tuple[Snapshot, list[str]]:
    """Return the files as they are once some have changed and then rest, and the names of those that changed."""
    watched = list(others)
    while True:
        await asyncio.sleep(_LOOK_S)
        seen = await asyncio.to_thread(look, folder, watched)
        if seen == known:
            continue
        while True:
            await asyncio.sleep(_SETTLED_S)
            again = await asyncio.to_thread(look, folder, watched)
            if again == seen:
                break
            seen = again
        changed = [path for path in sorted(known.keys() | seen.keys()) if known.get(path) != seen.get(path)]
        return seen, changed
