"""Repairs files of a plugin in place, or shows what that would change; never a file outside the plugin's folder."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mixpeek.inspection.findings import Finding
from mixpeek.inspection.fixes import fixed
from mixpeek.inspection.modules import MAX_SOURCE_BYTES
from mixpeek.inspection.pack import list_packed
from mixpeek.inspection.resolution import Owned
from mixpeek.inspection.scan import facts_of


@dataclass(frozen=True)
class Repair:
    """One file with its repairs: its path below the folder, its content before and after, and what was repaired."""

    path: str
    before: bytes
    after: bytes
    findings: tuple[Finding, ...]

    @property
    def diff(self) -> str:
        """Return the change as a unified diff."""
        old, new = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (self.before, self.after))
        lines = difflib.unified_diff(old, new, f"a/{self.path}", f"b/{self.path}")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def repairs(folder: Path, *, unsafe: bool) -> Iterator[Repair]:
    """Return the files that repairs would change; those that would not be packed are left alone, links too."""
    paths = [path for path in list_packed(folder) if path.endswith(".py")]
    facts = facts_of(folder, paths)
    modules = frozenset(path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths)
    for path in paths:
        if not _is_own(folder, path):
            continue
        source = (folder / path).read_bytes()
        if len(source) > MAX_SOURCE_BYTES:
            continue
        made = fixed(path, source, facts, unsafe=unsafe, owned=Owned(tuple(path.split("/")[:-1]), modules))
        if made.source != source:
            yield Repair(path, source, made.source, made.repaired)


def write(folder: Path, repair: Repair) -> None:
    """Put a repaired file in the place of the one before, whole or not at all, with the same mode."""
    path = folder / repair.path
    if not _is_own(folder, repair.path) or path.read_bytes() != repair.before:
        return  # somebody changed it meanwhile
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(repair.after)
        Path(name).chmod(path.stat().st_mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _is_own(folder: Path, path: str) -> bool:
    """Tell whether a path leads to a plain file inside the folder without a link on the way."""
    at = folder
    for part in path.split("/"):
        at = at / part
        if at.is_symlink():
            return False
    return at.is_file()
