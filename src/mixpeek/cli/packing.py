"""The copy of a plugin that is examined and sent: packed and unpacked again, so what passes here is what arrives."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mixpeek.errors import InvalidRequest
from mixpeek.inspection.archive import UnpackedArchive, read_archive
from mixpeek.inspection.pack import list_left_out_by_git, pack_directory


@dataclass(frozen=True)
class PackedPlugin:
    """A plugin as an archive, and that archive unpacked in a scratch folder."""

    archive: bytes
    unpacked: UnpackedArchive
    left_out_by_git: tuple[str, ...] = ()


def plugin_folder(path: str) -> Path:
    """Return the folder of a plugin; raise InvalidRequest if there is none."""
    folder = Path(path)
    if not folder.is_dir():
        raise InvalidRequest(
            f"`{path}` is not a folder", hint="Pass the plugin's folder with `--path`, or run this inside it"
        )
    return folder


@contextmanager
def packed(folder: Path) -> Iterator[PackedPlugin]:
    """Give the packed plugin, whose scratch folder goes away at the end; raise ArchiveRefused."""
    archive = pack_directory(folder)
    with tempfile.TemporaryDirectory(prefix="mixpeek-") as scratch:
        unpacked = read_archive(archive, Path(scratch) / "plugin")
        yield PackedPlugin(archive, unpacked, tuple(list_left_out_by_git(folder)))
