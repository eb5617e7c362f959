"""Archives of plugins and models, as they are sent."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from mixpeek.errors import InvalidRequest

_GZIP_MAGIC = b"\x1f\x8b"


def archive_from(path: str | Path | bytes) -> bytes:
    """Return the archive to send for a folder, an archive file, or an archive's bytes."""
    if isinstance(path, bytes):
        return path
    path = Path(path)
    if path.is_dir():
        # The packer is only needed here; a client that never uploads does without it.
        from mixpeek.inspection.pack import pack_directory

        return pack_directory(path)
    if not path.is_file():
        raise InvalidRequest(f"`{path}` does not exist", hint="Pass a plugin's folder, or its zip or tar.gz archive")
    return path.read_bytes()


def archive_type(archive: bytes) -> str:
    """Return the MIME type of an archive."""
    return "application/gzip" if archive.startswith(_GZIP_MAGIC) else "application/zip"


def archive_suffix(archive: bytes) -> str:
    """Return what the name of an archive ends with."""
    return ".tar.gz" if archive.startswith(_GZIP_MAGIC) else ".zip"


def name_from(path: str | Path | bytes) -> str:
    """Return the name of the plugin in a folder or an archive file, which is called as it is."""
    if isinstance(path, bytes):
        raise InvalidRequest("An archive given as bytes has no name", hint="Pass `name`, as in manifest.py")
    resolved = Path(path).resolve()
    return resolved.name if resolved.is_dir() else resolved.name.removesuffix(".gz").rsplit(".", 1)[0]


def weights_from(path: Path) -> bytes:
    """Return a file's bytes, or a folder as a tar."""
    if not path.exists():
        raise InvalidRequest(f"`{path}` does not exist", hint="Pass a folder, an archive, or a file of weights")
    if path.is_file():
        return path.read_bytes()
    buffer = io.BytesIO()
    # Weights hardly pack, so they are not.
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                archive.add(file.resolve(), file.relative_to(path).as_posix())
    return buffer.getvalue()
