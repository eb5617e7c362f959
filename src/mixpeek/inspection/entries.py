"""Names of archive entries: which ones are safe to write, and which ones get in each other's way.

Knows nothing of zip or tar; both readers and the packer ask here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from mixpeek.inspection.findings import Finding, error
from mixpeek.inspection.members import entry_refusal

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1_024
MAX_DEPTH = 64

_DRIVE = re.compile(r"^[A-Za-z]:")
# Names that Windows takes for a device, whatever their ending; the superscript digits count there as well.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
# Characters that are printable and yet not there for a reader, or not for a file system; `isprintable` has the others.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")

_RENAME = "Rename it, or pack the plugin's folder again"


def is_clutter(parts: tuple[str, ...]) -> bool:
    """Tell whether the entry is desktop metadata that no author wrote, such as ``__MACOSX/``."""
    return bool(parts) and (parts[0] == "__MACOSX" or parts[-1] == ".DS_Store" or parts[-1].startswith("._"))


def split_name(name: str) -> tuple[str, ...] | Finding:
    """Return the parts of an entry's name without ``.`` and empty ones, or the finding that refuses it.

    A lone surrogate stands for a byte that is not UTF-8.
    """
    if any("\ud800" <= char <= "\udfff" for char in name):
        return _refuse("archive.name_encoding", name, "has a name that is not UTF-8")
    if not name.isprintable() or _INVISIBLE.search(name):
        return _refuse("archive.unprintable_name", name, "contains a character that cannot be printed")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    return _refuse_place(name, parts) or _refuse_on_windows(name, parts) or parts


def _refuse_place(name: str, parts: tuple[str, ...]) -> Finding | None:
    if name.startswith("/") or _DRIVE.match(name):
        return _refuse("archive.absolute_path", name, "is an absolute path")
    if "\\" in name:
        return _refuse("archive.backslash", name, "contains a backslash")
    if ".." in parts:
        return _refuse("archive.escaping_path", name, "climbs out of the archive with `..`")
    sizes = [len(part.encode()) for part in parts]
    if sizes and (max(sizes) > MAX_NAME_BYTES or sum(sizes) + len(sizes) > MAX_PATH_BYTES):
        return _refuse(
            "archive.long_name", name, f"is longer than {MAX_NAME_BYTES} bytes a part or {MAX_PATH_BYTES} in all"
        )
    if len(parts) > MAX_DEPTH:
        return _refuse("archive.too_deep", name, f"lies more than {MAX_DEPTH} folders deep")
    return None


def _refuse_on_windows(name: str, parts: tuple[str, ...]) -> Finding | None:
    """Return the finding for a name that Windows reads as another file, or as none."""
    if ":" in name:
        return _refuse("archive.colon", name, "contains a colon, which names a stream or a drive on Windows")
    if any(part[-1] in ". " for part in parts):
        return _refuse("archive.trailing_dot", name, "has a part that ends in a dot or a space, which Windows drops")
    if any(_DEVICE.fullmatch(part) for part in parts):
        return _refuse("archive.reserved_name", name, "is the name of a device on Windows")
    return None


def _refuse(rule: str, name: str, what: str) -> Finding:
    return entry_refusal(rule, name, what, _RENAME)


@dataclass(frozen=True)
class _Taken:
    number: int
    path: str
    is_folder: bool


_TOP = 0


class EntryNames:
    """The names seen so far in one archive, folders on the way included; `claim` says whether one more fits."""

    def __init__(self) -> None:
        # By the number of the folder that holds the name, so that a deep path costs no more than its length.
        self._taken: dict[tuple[int, str], _Taken] = {}

    def __len__(self) -> int:
        """Return how many files and folders there are."""
        return len(self._taken)

    def claim(self, parts: tuple[str, ...], *, is_folder: bool) -> Finding | None:
        """Take the name for a file or folder, or return why it cannot stand beside an earlier one."""
        folder, path = _TOP, ""
        for depth, part in enumerate(parts, start=1):
            path = f"{path}/{part}" if path else part
            taken = self._claim(folder, part, path, is_folder=is_folder or depth < len(parts))
            if isinstance(taken, Finding):
                return taken
            folder = taken.number
        return None

    def _claim(self, folder: int, part: str, path: str, *, is_folder: bool) -> _Taken | Finding:
        key = (folder, _compared(part))
        before = self._taken.get(key)
        if before is None:
            taken = self._taken[key] = _Taken(len(self._taken) + 1, path, is_folder)
            return taken
        if before.path != path:
            rule, what = (
                "archive.case_collision",
                f"Entries `{before.path}` and `{path}` differ only in case, accents or form",
            )
        elif before.is_folder != is_folder:
            rule, what = "archive.file_and_folder", f"`{path}` is both a file and a folder"
        elif not is_folder:
            rule, what = "archive.duplicate", f"`{path}` is in the archive twice"
        else:
            return before
        return error(rule, what, hint="Rename or remove one of them", path=path)


def _compared(part: str) -> str:
    """Return what a file system compares that ignores case and composition, or Python when it imports."""
    folded = unicodedata.normalize("NFKC", part).casefold()
    return unicodedata.normalize("NFKC", folded)
