"""Checks a PyTorch state dict: a zip as `torch.save` writes it, whose pickle only rebuilds tensors.

Nothing is unpickled; hosts load such files with `weights_only=True` besides.
"""

from __future__ import annotations

import pickletools
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

MAX_PICKLE_BYTES = 16 * 1024 * 1024
MAX_ENTRIES = 200_000
MAX_DIRECTORY_BYTES = 64 * 1024 * 1024

_END, _END_MARK = struct.Struct("<4s4H2LH"), b"PK\x05\x06"
_LOCATOR, _LOCATOR_MARK = struct.Struct("<4sLQL"), b"PK\x06\x07"
_END64, _END64_MARK = struct.Struct("<4sQ2H2L4Q"), b"PK\x06\x06"
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ValueError, OverflowError),
    OSError,  # a place before the start of the file; the file itself was read before
)

_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "ComplexFloat")
_GLOBALS = frozenset(
    {"collections OrderedDict", "torch Size", "torch.storage UntypedStorage"}
    | {f"torch._utils {name}" for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")}
    | {f"torch {name}Storage" for name in _STORAGES}
    | {f"torch {name}" for name in ("float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64")}
)
# Opcodes that make or find objects in other ways than GLOBAL and REDUCE.
_FORBIDDEN = frozenset(
    {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER"}
)


def fault_of_torch(path: Path) -> str | None:
    """Return what is wrong with the file, None if nothing is."""
    with path.open("rb") as file:
        try:
            fault = _fault_of_directory(file)
            if fault is not None:
                return fault
            with zipfile.ZipFile(file) as archive:
                return _fault_of_entries(archive, path.stat().st_size)
        except _DAMAGE as error:
            return f"it is no zip that can be read: {error or type(error).__name__}"


def is_torch_zip(path: Path) -> bool:
    """Tell whether a zip is what `torch.save` writes, rather than an archive that holds such a file."""
    with path.open("rb") as file:
        try:
            if _fault_of_directory(file) is not None:
                return False
            with zipfile.ZipFile(file) as archive:
                names = [name.split("/") for name in archive.namelist()]
        except _DAMAGE:
            return False
    return any(len(parts) == 2 and parts[1] == "data.pkl" for parts in names)


def _fault_of_directory(file: BinaryIO) -> str | None:
    """Measure the directory before `zipfile` loads it; `torch.save` writes the zip64 form for any size."""
    if file.read(2) != b"PK":
        return "it is no zip: save the state dict with `torch.save` of PyTorch 1.6 or later"
    size = file.seek(0, 2)
    start = max(0, size - _END.size - 0xFFFF)
    file.seek(start)
    tail = file.read(size - start)
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        return "the directory at its end is missing"
    entries, directory_bytes = _END.unpack_from(tail, at)[4:6]
    if at >= _LOCATOR.size and tail.startswith(_LOCATOR_MARK, at - _LOCATOR.size):
        place = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2]
        if place > size - _END64.size:
            return "its directory lies outside of the file"
        file.seek(place)
        mark, *rest = _END64.unpack(file.read(_END64.size))
        if mark != _END64_MARK:
            return "its directory lies somewhere else than it says"
        entries, directory_bytes = rest[6], rest[7]
    file.seek(0)
    if entries > MAX_ENTRIES or directory_bytes > MAX_DIRECTORY_BYTES:
        return f"it has more than {MAX_ENTRIES} entries"
    return None


def _fault_of_entries(archive: zipfile.ZipFile, size_bytes: int) -> str | None:
    entries = archive.infolist()
    for info in entries:
        fault = _fault_of_entry(info)
        if fault is not None:
            return fault
    if sum(info.file_size for info in entries) > size_bytes:
        return "its entries overlap"
    pickles = [info for info in entries if info.filename.endswith("data.pkl")]
    if len(pickles) != 1 or len(pickles[0].filename.split("/")) != 2:
        return "it is no state dict: it needs one data.pkl; save it with `torch.save(model.state_dict(), path)`"
    if pickles[0].file_size > MAX_PICKLE_BYTES:
        return f"its data.pkl is larger than {MAX_PICKLE_BYTES} bytes"
    return _fault_of_pickle(archive.read(pickles[0]))


def _fault_of_entry(info: zipfile.ZipInfo) -> str | None:
    parts = info.filename.split("/")
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.file_size != info.compress_size:
        return f"entry {info.filename[:100]!r} is compressed or encrypted, which `torch.save` never does"
    if len(parts) < 2 or ".." in parts:
        return f"entry {info.filename[:100]!r} is not inside the archive's folder"
    if parts[1] in ("code", "constants.pkl"):
        return "it is TorchScript, which is code; save the `state_dict()` instead"
    return None


def _fault_of_pickle(data: bytes) -> str | None:
    """Look at every opcode of a pickle without carrying any out."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _FORBIDDEN:
            return f"its pickle uses {opcode.name}, which a state dict never needs; save the `state_dict()` only"
        if opcode.name == "GLOBAL" and argument not in _GLOBALS:
            return (
                f"its pickle names {str(argument)[:100]!r}, which is not part of a tensor; save the `state_dict()` only"
            )
    return None
