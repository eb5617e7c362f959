"""Inputs to start from, made on the spot; the committed corpus adds what fuzzing found worth keeping."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from mixpeek.execution.tables import to_stream
from mixpeek.host.frames import encode
from samples.archives import BENIGN, HOSTILE

_REPLIES: tuple[Any, ...] = (
    {"manifest": {"name": "x", "features": [{"embedding_dim": 3}]}, "realtime": "predict", "python": "3.11.7"},
    {"manifest": {}, "realtime": None, "python": "3"},
    {"steps": [{"index": 0, "name": "a", "resource_type": "cpu", "condition": "always", "enabled": True}]},
    {"busy": False, "waiting": 0, "answered": 12},
    {"result": {"embedding": [0.1, 2e3, -1]}},
    {
        "error": {
            "type": "PluginRaised",
            "message": "boom",
            "step": "a",
            "exception": "ValueError",
            "frames": [{"file": "pipeline.py", "line": 3, "function": "f", "code": "x = 1"}],
        }
    },
)
_COLUMNS: tuple[tuple[Any, list[Any]], ...] = (
    (pa.int64(), [1, None, 3]),
    (pa.string(), ["a", "", None]),
    (pa.large_string(), ["a", "ü", None]),
    (pa.float32(), [0.5, float("nan"), None]),
    (pa.bool_(), [True, None, False]),
    (pa.list_(pa.float32()), [[1.0], [], None]),
    (pa.list_(pa.float32(), 2), [[1.0, 2.0], [3.0, 4.0], None]),
    (pa.struct([("x", pa.int8()), ("y", pa.string())]), [{"x": 1, "y": "a"}, None, {"x": None, "y": ""}]),
    (pa.timestamp("us", "UTC"), [1, 2, None]),
    (pa.decimal128(10, 2), [None, None, None]),
    (pa.null(), [None, None, None]),
    (pa.binary(), [b"a", b"", None]),
    (pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a"]),
    (pa.map_(pa.string(), pa.int8()), [[("a", 1)], [], None]),
)

_SOURCES = (
    "import os\nfrom subprocess import run as r\nr(['ls'])\nos.system('x')\n",
    "import importlib as i\nm = i.import_module('so' + 'cket')\ngetattr(__builtins__, 'ev' + 'al')('1')\n",
    "class A:\n    def f(self, *a, **k):\n"
    "        return [x for x in (y := a) if x]\n\n    async def g(self):\n        pass\n",
    "# -*- coding: latin-1 -*-\nx = '\xe9'\nprint(f'{x!r:>{10}}')\n",
    "match x:\n    case {'a': [1, *rest]} | None if rest:\n        pass\n"
    "try:\n    pass\nexcept* ValueError as e:\n    raise\n",
    "import pickle\npickle.loads(b'x')  # mixpeek: allow security.pickle -- reads our own file\n",
    "().__class__.__bases__[0].__subclasses__()[1]\nvars(__import__('os'))['system']('x')\n",
    "metadata = {'feature_extractor_name': 'a'}\nlambda: (yield)\n",
    "from operator import attrgetter\nattrgetter('system')(__import__('sys').modules['os'])('x')\n",
)


def _tables() -> list[bytes]:
    columns = {f"c{index}": pa.array(values, kind) for index, (kind, values) in enumerate(_COLUMNS)}
    single = [pa.table({name: column}) for name, column in columns.items()]
    plain = pa.table({name: columns[name] for name in list(columns)[:9]})
    packed = pa.BufferOutputStream()
    with pa.ipc.new_stream(packed, plain.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(plain)
    data = pa.table({"data": ["x", "y", "z"], "embedding": [[1.0], [2.0], [3.0]]})
    return [*map(to_stream, (*single, plain, data, data.slice(0, 2))), bytes(packed.getvalue())]


def _archives(is_zip: bool) -> list[bytes]:
    built = [sample.build() for sample in (*BENIGN, *HOSTILE) if not sample.is_large]
    return [data for data in built if data.startswith(b"PK") == is_zip and len(data) < 64 * 1024]


def seeds(target: str) -> list[bytes]:
    """Return the inputs a target starts from."""
    if target in ("zip", "tar"):
        return _archives(target == "zip")
    if target == "frames":
        single = [
            encode({"id": index, "ok": True, "result": reply}, b"x" * index) for index, reply in enumerate(_REPLIES)
        ]
        return [*single, b"".join(single), encode({}), encode({"a": "\ud800", "b": [1e300, -0.0]})]
    if target == "replies":
        return [json.dumps(reply).encode() for reply in _REPLIES]
    return _tables() if target == "tables" else [source.encode("latin-1") for source in _SOURCES]
