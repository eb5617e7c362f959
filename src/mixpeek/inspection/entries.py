"""Names of archive entries: which ones are safe to write, and which ones get in each other's way.

Knows nothing of zip or tar; both readers and the packer ask here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from mixpeek.inspection.findings import Finding, error

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1_024

_DRIVE = re.compile(r"^[A-Za-z]:")


def is_clutter(parts: tuple[str, ...]) -> bool:
    """Tell whether the entry is desktop metadata that no author wrote, such as ``__MACOSX/``."""
    return bool(parts) and (parts[0] == "__MACOSX" or parts[-1] == ".DS_Store" or parts[-1].startswith("._"))


def split_name(name: str) -> tuple[str, ...] | Finding:
    """Return the parts of an entry's name without ``.`` and empty ones, or the finding that refuses it."""
    if not name.isprintable():
        return _refuse("archive.unprintable_name", name, "contains a character that cannot be printed")
    if name.startswith("/") or _DRIVE.match(name):
        return _refuse("archive.absolute_path", name, "is an absolute path")
    if "\\" in name:
        return _refuse("archive.backslash", name, "contains a backslash")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        return _refuse("archive.escaping_path", name, "climbs out of the archive with `..`")
    sizes = [len(part.encode("utf-8")) for part in parts]
    if sizes and (max(sizes) > MAX_NAME_BYTES or sum(sizes) + len(sizes) > MAX_PATH_BYTES):
        return _refuse(
            "archive.long_name", name, f"is longer than {MAX_NAME_BYTES} bytes a part or {MAX_PATH_BYTES} in all"
        )
    return parts


def _refuse(rule: str, name: str, what: str) -> Finding:
    shown = name if len(name) <= 200 else name[:200] + "…"
    return error(rule, f"Entry `{shown}` {what}", hint="Rename it, or pack the plugin's folder again", path=shown)


@dataclass(frozen=True)
class _Taken:
    path: str
    is_folder: bool


class EntryNames:
    """The names seen so far in one archive; `claim` says whether one more fits beside them."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, ...], _Taken] = {}

    def claim(self, parts: tuple[str, ...], *, is_folder: bool) -> Finding | None:
        """Take the name for a file or folder, or return why it cannot stand beside an earlier one."""
        for depth in range(1, len(parts)):
            finding = self._claim(parts[:depth], is_folder=True)
            if finding:
                return finding
        return self._claim(parts, is_folder=is_folder)

    def _claim(self, parts: tuple[str, ...], *, is_folder: bool) -> Finding | None:
        path = "/".join(parts)
        # The key is what a file system that ignores case and composition would compare.
        key = tuple(unicodedata.normalize("NFC", part).casefold() for part in parts)
        before = self._taken.get(key)
        if before is None:
            self._taken[key] = _Taken(path, is_folder)
            return None
        if before.path != path:
            rule, what = (
                "archive.case_collision",
                f"Entries `{before.path}` and `{path}` differ only in case or accents",
            )
        elif before.is_folder != is_folder:
            rule, what = "archive.file_and_folder", f"`{path}` is both a file and a folder"
        elif not is_folder:
            rule, what = "archive.duplicate", f"`{path}` is in the archive twice"
        else:
            return None
        return error(rule, what, hint="Rename or remove one of them", path=path)
