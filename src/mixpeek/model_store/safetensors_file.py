"""Checks a .safetensors file: a length, a JSON header, and tensors that fill the rest without gap or overlap.

Nothing is loaded: only the header is read, and its length is capped before it is.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

MAX_HEADER_BYTES = 16 * 1024 * 1024
MAX_DIMENSIONS = 32
_LENGTH_BYTES = 8
_METADATA = "__metadata__"
_DTYPE_BITS = {
    **{"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8},
    **{"I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32},
    **{"F64": 64, "I64": 64, "U64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6},
}


def fault_of_safetensors(path: Path) -> str | None:
    """Return what is wrong with the file, None if nothing is."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_LENGTH_BYTES)
        if len(head) < _LENGTH_BYTES:
            return "the file ends before its header"
        length = int.from_bytes(head, "little")
        if length > size - _LENGTH_BYTES:
            return f"the header claims {length} bytes, more than the file has"
        if length > MAX_HEADER_BYTES:
            return f"the header has {length} bytes, more than {MAX_HEADER_BYTES}"
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        return f"the header is not usable JSON: {error}"
    if not isinstance(header, dict):
        return "the header is not a JSON object"
    return _fault_of_header(header, size - _LENGTH_BYTES - length)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _fault_of_header(header: dict[str, Any], data_bytes: int) -> str | None:
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        return f"`{_METADATA}` is not a JSON object of texts"
    places: list[tuple[int, int, str]] = []
    for name, tensor in header.items():
        place = _place_of(tensor)
        if isinstance(place, str):
            return f"tensor {name[:100]!r} {place}"
        places.append((*place, name))
    if not places:
        return "it holds no tensor"
    end = 0
    for begins, ends, name in sorted(places):
        if begins != end:
            what = "overlaps the one before it" if begins < end else "leaves a gap before it"
            return f"tensor {name[:100]!r} {what}"
        end = ends
    return None if end == data_bytes else f"the tensors have {end} bytes, the file holds {data_bytes} for them"


def _place_of(tensor: Any) -> tuple[int, int] | str:
    """Return where a tensor's bytes begin and end, or what is wrong with it."""
    if not isinstance(tensor, dict) or set(tensor) != {"dtype", "shape", "data_offsets"}:
        return "has not exactly dtype, shape and data_offsets"
    bits = _DTYPE_BITS.get(tensor["dtype"]) if isinstance(tensor["dtype"], str) else None
    if bits is None:
        return "has an unknown dtype"
    shape, offsets = tensor["shape"], tensor["data_offsets"]
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS:
        return "has no valid shape"
    if not _are_sizes(offsets) or len(offsets) != 2:
        return "has no valid data_offsets"
    begins, ends = offsets
    if (ends - begins) * 8 != math.prod(shape) * bits:
        return "has another size than its shape and dtype say"
    return begins, ends


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)
