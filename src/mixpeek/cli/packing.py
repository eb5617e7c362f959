"""The copy of a plugin that is examined and sent: packed and unpacked again, so what passes here is what arrives."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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


class Bench:
    """A scratch folder in which a plugin is packed and unpacked, again and again, always at one place.

    Hosts that wait with that place bound see what is unpacked there next.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugin: PackedPlugin | None = None
        self._scratch = tempfile.TemporaryDirectory(prefix="mixpeek-")
        self._root = Path(self._scratch.name) / "plugin"

    def __enter__(self) -> Bench:
        self._root.mkdir()
        self._root.chmod(0o755)  # whoever a plugin runs as reads it, whatever the umask
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

    def pack(self) -> PackedPlugin:
        """Return the plugin as it is now; no host may be using what was packed before. Raise ArchiveRefused."""
        self.plugin = None
        archive = pack_directory(self.folder)
        arrived = self._root.with_name("arrived")
        try:
            unpacked = read_archive(archive, arrived)
            for old in self._root.iterdir():
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            for new in unpacked.root.iterdir():
                new.rename(self._root / new.name)
        finally:
            shutil.rmtree(arrived, ignore_errors=True)
        left_out = tuple(list_left_out_by_git(self.folder))
        self.plugin = PackedPlugin(archive, replace(unpacked, root=self._root), left_out)
        return self.plugin


@contextmanager
def packed(folder: Path) -> Iterator[PackedPlugin]:
    """Give the packed plugin, whose scratch folder goes away at the end; raise ArchiveRefused."""
    with Bench(folder) as bench:
        yield bench.pack()
