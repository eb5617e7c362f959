"""Turning what was uploaded into a folder of files: an archive, or weights on their own."""

from __future__ import annotations

from pathlib import Path

from mixpeek.inspection.archive import describe_folder, read_archive
from mixpeek.inspection.limits import ArchiveLimits, ArchiveRefused
from mixpeek.model_store.errors import ModelRejected
from mixpeek.model_store.formats import SUFFIXES, ModelFormat
from mixpeek.model_store.torch_file import is_torch_zip

_TAR_MAGIC_AT = 257


def unpack_model(archive: Path, into: Path, form: ModelFormat, limit_bytes: int) -> str:
    """Write the files of an upload into `into`, without a single top-level folder, and return their content hash.

    Raises: ModelRejected: it is not a safe archive.
    """
    if _is_bare(archive, form):
        into.mkdir()
        # A link costs nothing where a copy may have gigabytes.
        (into / f"model{SUFFIXES[form][0]}").hardlink_to(archive)
        return describe_folder(into).code_hash
    limits = ArchiveLimits(archive_bytes=limit_bytes, unpacked_bytes=limit_bytes)
    unpacking = into.with_name(f"{into.name}-unpacking")
    try:
        with archive.open("rb") as stream:
            unpacked = read_archive(stream, unpacking, limits)
    except ArchiveRefused as refused:
        raise ModelRejected(refused.findings) from refused
    unpacked.root.rename(into)
    return unpacked.code_hash


def _is_bare(archive: Path, form: ModelFormat) -> bool:
    """Tell whether an upload is the weights themselves; a state dict is a zip too, known by its data.pkl."""
    with archive.open("rb") as stream:
        head = stream.read(512)
    if head.startswith(b"\x1f\x8b") or head[_TAR_MAGIC_AT:].startswith(b"ustar"):
        return False
    if head.startswith(b"PK"):
        return form is ModelFormat.PYTORCH and is_torch_zip(archive)
    return form in (ModelFormat.SAFETENSORS, ModelFormat.ONNX)
