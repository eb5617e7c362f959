"""Small files of weights, sound or broken on purpose, written without the libraries that usually write them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def safetensors(header: Any = None, data: bytes = bytes(8), *, length: int | None = None) -> bytes:
    """Return a file with one tensor, or with another header (an object, or its bytes), data or claimed length."""
    text = (
        header if isinstance(header, bytes) else json.dumps({"weight": TENSOR} if header is None else header).encode()
    )
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def field(number: int, value: int | bytes) -> bytes:
    """Return one protobuf field: a number, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def onnx(graph: bytes = b"", *more: bytes) -> bytes:
    """Return a model with this graph: an IR version, an operator set, and further fields."""
    return field(1, 8) + field(7, graph) + field(8, field(2, 17)) + b"".join(more)


def external(location: str) -> bytes:
    """Return a tensor whose data is in another file."""
    entry = field(1, b"location") + field(2, location.encode())
    return field(13, entry) + field(14, 1)


# What `torch.save({"weight": torch.zeros(2)}, path)` pickles, opcode by opcode.
STATE_DICT = (
    b"\x80\x02}q\x00X\x06\x00\x00\x00weightq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02((X\x07\x00\x00\x00storageq\x03"
    b"ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06K\x02tq\x07QK\x00K\x02\x85q\x08K\x01\x85"
    b"q\x09\x89ccollections\nOrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0ds."
)


def torch_zip(pickled: bytes = STATE_DICT, *, files: dict[str, bytes] | None = None, packed: bool = False) -> bytes:
    """Return the zip of a state dict."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        entries = {"archive/data.pkl": pickled, "archive/data/0": bytes(8), "archive/version": b"3\n", **(files or {})}
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()
