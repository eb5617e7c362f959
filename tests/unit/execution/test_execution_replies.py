"""Nothing a host says is believed before it has been checked."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Literal

import pyarrow as pa
import pytest

from mixpeek.errors import PluginRaised, PluginReplyInvalid, PluginReplyTooLarge
from mixpeek.execution.replies import description_from, error_from, health_from, prediction_from, steps_from
from mixpeek.execution.tables import from_stream, to_stream

STEP = {"index": 0, "name": "A", "resource_type": "cpu", "condition": "always", "enabled": True}
GIVEN = pa.table({"document_id": ["a", "b"], "data": ["x", "y"], "text": ["x", "y"]})


@pytest.mark.parametrize(
    ("check", "result"),
    [
        (description_from, None),
        (description_from, {"manifest": 3, "realtime": None, "python": "3.11.7"}),
        (description_from, {"manifest": {}, "realtime": "eval", "python": "3.11.7"}),
        (description_from, {"manifest": {}, "realtime": ["predict"], "python": "3.11.7"}),
        (steps_from, {"steps": None}),
        (steps_from, {"steps": [STEP] * 300}),
        (steps_from, {"steps": [{**STEP, "index": 1}]}),
        (steps_from, {"steps": [{**STEP, "condition": "sometimes"}]}),
        (steps_from, {"steps": [{**STEP, "resource_type": ["cpu"]}]}),
        (steps_from, {"steps": [{**STEP, "enabled": 1}]}),
        (health_from, {"busy": 1, "waiting": 0, "answered": 0}),
        (prediction_from, {}),
        (prediction_from, []),
    ],
)
def test_a_result_of_another_shape_is_refused(check: Callable[[Any], Any], result: Any) -> None:
    with pytest.raises(PluginReplyInvalid):
        check(result)


def test_an_error_keeps_only_what_can_be_read() -> None:
    frame = {"file": "a.py", "line": 1, "function": "f", "code": "x" * 9999, "secret": 1}
    error = {"type": "PluginRaised", "message": "\ud800", "frames": [frame, 3, {"line": "1"}] * 40, "step": 3}

    raised = error_from({"error": error})

    assert isinstance(raised, PluginRaised)
    assert raised.message == "?"
    assert raised.details["step"] is None
    assert raised.details["frames"][0] == {"file": "a.py", "line": 1, "function": "f", "code": "x" * 4000}
    assert len(raised.details["frames"]) == 10


@pytest.mark.parametrize("error", [None, {}, {"type": "SystemExit"}, {"type": ["PluginRaised"]}])
def test_an_unknown_error_becomes_an_invalid_reply(error: Any) -> None:
    assert isinstance(error_from({"error": error}), PluginReplyInvalid)


def test_new_columns_join_the_rows_that_were_sent() -> None:
    made = pa.table({"data": ["X", "Y"], "score": [1, 2]})

    assert from_stream(to_stream(made), GIVEN).to_pydict() == {
        "document_id": ["a", "b"],
        "data": ["X", "Y"],
        "score": [1, 2],
    }


def test_a_step_that_adds_nothing_returns_the_rows_as_they_were() -> None:
    assert from_stream(to_stream(pa.table({})), GIVEN) == GIVEN.select(["document_id", "data"])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (pa.table({"score": [1]}), "1 rows for 2"),
        (pa.table({"document_id": ["b", "a"]}), "not its own"),
        (pa.table({"text": ["b", "a"]}), "not its own"),
        (pa.table({"x": pa.array(["a", "a"]).dictionary_encode()}), "is not accepted"),
        (pa.table({"x": pa.array([b"a", b"b"])}), "is not accepted"),
        (pa.table({"x": pa.array([[None], []])}), "is not accepted"),
        (pa.table({"x": pa.array([[[]] * 9, []], pa.list_(pa.list_(pa.int8(), 0)))}), "is not accepted"),
        (pa.table([pa.array([1, 2]), pa.array([1, 2])], names=["x", "x"]), "two of one name"),
    ],
)
def test_a_table_that_is_not_the_hosts_to_send_is_refused(made: pa.Table, message: str) -> None:
    with pytest.raises(PluginReplyInvalid, match=message):
        from_stream(to_stream(made), GIVEN)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_buffers_are_refused_before_they_are_read(codec: Literal["zstd", "lz4"]) -> None:
    bomb = pa.table({"x": pa.array([0] * 100_000)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, bomb.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(bomb)

    with pytest.raises(PluginReplyInvalid, match="compressed"):
        from_stream(bytes(sink.getvalue()), GIVEN)


def test_columns_that_share_their_bytes_are_refused_before_they_are_copied() -> None:
    small = {f"small_{number}": ["y", "z"] for number in range(8)}
    stream = bytearray(to_stream(pa.table({"large": ["x" * 5000, "y"], **small})))
    # Where a column's validity, offsets and text lie, each as (offset, length), one column after the other.
    large = struct.pack("<6q", 0, 0, 0, 12, 16, 5001)
    first = stream.index(large)
    for number in range(1, 9):
        stream[first + number * len(large) : first + (number + 1) * len(large)] = large

    with pytest.raises(PluginReplyInvalid, match="share the same bytes"):
        from_stream(bytes(stream), GIVEN)


def test_more_values_than_python_could_hold_are_refused() -> None:
    many = pa.ListArray.from_arrays([0, 100_000_000, 100_000_000], pa.nulls(100_000_000, pa.bool_()))

    with pytest.raises(PluginReplyTooLarge, match="100,000,002 values"):
        from_stream(to_stream(pa.table({"x": many})), GIVEN)


def test_a_table_in_very_many_pieces_is_refused() -> None:
    piece = pa.record_batch({"x": pa.array([], pa.int8())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, piece.schema) as writer:
        for _ in range(8193):
            writer.write_batch(piece)

    with pytest.raises(PluginReplyInvalid, match="8,192 pieces"):
        from_stream(bytes(sink.getvalue()), GIVEN)


def test_any_damage_to_a_stream_is_refused_or_harmless() -> None:
    body = to_stream(pa.table({"words": ["a", "b"], "vectors": [[1.0], [2.0, 3.0]]}))

    for at in range(0, len(body), 3):
        damaged = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
        try:
            table = from_stream(damaged, GIVEN)
        except PluginReplyInvalid:
            continue
        table.to_pydict()


@pytest.mark.parametrize("body", [b"", b"\x00" * 64, b"ARROW1\x00\x00"])
def test_what_is_no_stream_is_refused(body: bytes) -> None:
    with pytest.raises(PluginReplyInvalid):
        from_stream(body, GIVEN)


def parts(*numbers: Any, kind: pa.DataType | None = None, **columns: Any) -> pa.Table:
    return pa.table({**columns, "_part_of": pa.array(list(numbers), kind or pa.int32())})


def test_each_part_gets_the_id_of_its_row_and_no_other_column_of_it() -> None:
    made = parts(0, 0, 1, page=["one", "two", "three"])

    assert from_stream(to_stream(made), GIVEN, explodes=True).to_pydict() == {
        "document_id": ["a", "a", "b"],
        "page": ["one", "two", "three"],
    }
    assert from_stream(to_stream(parts()), GIVEN, explodes=True).to_pydict() == {"document_id": []}


@pytest.mark.parametrize(
    "made",
    [
        pa.table({"page": ["one"]}),
        parts(2),
        parts(-1, 0),
        parts(1, 0),
        parts(None),
        parts(0, kind=pa.int64()),
        parts("0", kind=pa.string()),
        parts(0, document_id=["b"]),
        parts(0, text=["mine"]),
    ],
)
def test_parts_of_rows_that_were_not_given_are_refused(made: pa.Table) -> None:
    with pytest.raises(PluginReplyInvalid):
        from_stream(to_stream(made), GIVEN, explodes=True)


def test_more_parts_than_can_be_read_are_refused() -> None:
    with pytest.raises(PluginReplyTooLarge, match="parts"):
        from_stream(to_stream(parts(*[0] * 1_000_001)), GIVEN, explodes=True)
