"""Tables on the socket: Arrow streams, written for a host and read back from one without trust.

Read: no compressed buffers (they could inflate without bound), plain column types only, the rows that were sent, and
no more than the frame itself holds: every column has bytes of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mixpeek.contract.columns import DATA, DOCUMENT_ID, PART_OF, SYSTEM_COLUMNS
from mixpeek.errors import PluginReplyInvalid, PluginReplyTooLarge
from mixpeek.execution.port import PartialRun, Reply
from mixpeek.execution.replies import faults_from
from mixpeek.host.frames import MAX_BODY_BYTES

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_COLUMNS = 1024
_MAX_BATCHES = 8192
# As many as there are numbers of four bytes in the largest frame; of booleans, a bit each, it could hold far more, and
# each would become a Python object.
_MAX_VALUES = MAX_BODY_BYTES // 4
# Each part repeats the id of its row, so a small frame could ask for much more memory than it holds.
_MAX_PARTS = 1_000_000


def to_stream(table: pa.Table) -> bytes:
    """Return a table as an Arrow IPC stream."""
    import pyarrow as pa  # heavy: only when tables are used

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def from_stream(body: bytes, given: pa.Table, *, explodes: bool = False) -> pa.Table:
    """Return data and system columns of the table `given` to a host, with the columns the host made of it.

    With `explodes`, one row per part instead: the `document_id` of the row it is a part of, and what the host made;
    parts of one row are neighbours, rows in the order given.

    Raises:
        PluginReplyInvalid: the host sent no sound table, other rows, or columns it may not write.
        PluginReplyTooLarge: it sent more values, or more parts, than can be read.
    """
    made = _read(body)
    # What identifies a row is never taken from a host: it could hand one row's features to another.
    if explodes:
        result, made = _parts_of(given, made), made.drop_columns([PART_OF])
    else:
        if made.num_columns and made.num_rows != given.num_rows:
            raise PluginReplyInvalid(f"The plugin's host sent {made.num_rows} rows for {given.num_rows}")
        result = given.select([name for name in given.column_names if name in SYSTEM_COLUMNS or name == DATA])
    for name in made.column_names:
        if name in SYSTEM_COLUMNS or (name in given.column_names and name != DATA):
            raise PluginReplyInvalid(f"The plugin's host sent the column {name[:100]!r}, which is not its own")
        field, column = made.schema.field(name), made.column(name)
        at = result.schema.get_field_index(name)
        result = result.append_column(field, column) if at < 0 else result.set_column(at, field, column)
    return result


def _parts_of(given: pa.Table, made: pa.Table) -> pa.Table:
    """Return the document id of each part in a host's reply, once the host's numbers are known to be sound."""
    import numpy as np
    import pyarrow as pa  # as above

    if PART_OF not in made.column_names or made.schema.field(PART_OF).type != pa.int32():
        raise PluginReplyInvalid("The plugin's host did not say which row each part belongs to")
    if made.num_rows > _MAX_PARTS:
        raise PluginReplyTooLarge(f"The plugin's host sent {made.num_rows:,} parts, over the limit of {_MAX_PARTS:,}")
    column = made.column(PART_OF)
    numbers = column.to_numpy() if column.null_count == 0 else np.array([-1])
    is_sound = numbers.size == 0 or (numbers[0] >= 0 and numbers[-1] < given.num_rows and (np.diff(numbers) >= 0).all())
    if not is_sound:
        raise PluginReplyInvalid("The plugin's host sent parts of rows that it was not given")
    return given.select([DOCUMENT_ID]).take(pa.array(numbers))


def partial_run_from(
    answer: Reply, given: pa.Table, *, explodes: bool = False, cover: Callable[[str], str] = str
) -> PartialRun:
    """Return what a host made of the rows of `given` that went through, and which did not; raise as `from_stream`.

    Args: cover: as in `error_from`.
    """
    import numpy as np  # as above

    result, body = answer
    faults = faults_from(result, given.num_rows, cover)
    if explodes:
        made = from_stream(body, given, explodes=True)
        failed = {given.column(DOCUMENT_ID)[fault.row].as_py() for fault in faults}
        if failed and not failed.isdisjoint(made.column(DOCUMENT_ID).to_pylist()):
            raise PluginReplyInvalid("The plugin's host sent parts of rows that it says have failed")
        return PartialRun(made, faults)
    if faults:
        given = given.take(np.setdiff1d(np.arange(given.num_rows), [fault.row for fault in faults]))
    return PartialRun(from_stream(body, given), faults)


def _read(body: bytes) -> pa.Table:
    import pyarrow as pa  # as above

    try:
        _refuse_compression(body)
        with pa.ipc.open_stream(body) as reader:
            _check_schema(reader.schema)
            table = reader.read_all()
        table.validate()
        _check_size(table, len(body))
        table.validate(full=True)
        _check_times(table)
    except (pa.ArrowException, OSError, ValueError, OverflowError, struct.error) as error:
        raise PluginReplyInvalid(f"The plugin's host sent a table that cannot be read: {str(error)[:300]}") from error
    return table


def _check_schema(schema: pa.Schema) -> None:
    if len(schema) > _MAX_COLUMNS or len(set(schema.names)) < len(schema):
        raise PluginReplyInvalid("The plugin's host sent a table with too many columns, or two of one name")
    for column in schema:
        if not _is_plain(column.type, is_nested=False):
            raise PluginReplyInvalid(
                f"Column {column.name[:100]!r} has the type {str(column.type)[:100]}, which is not accepted"
            )


def _check_size(table: pa.Table, most_bytes: int) -> None:
    """Raise for a table larger than the frame it came in, or of more values than Python could hold as objects."""
    if table.nbytes > most_bytes:
        raise PluginReplyInvalid("The plugin's host sent a table whose columns share the same bytes")
    values = sum(_count_values(chunk) for column in table.columns for chunk in column.chunks)
    if values > _MAX_VALUES:
        raise PluginReplyTooLarge(
            f"The plugin's host sent a table of {values:,} values, over the limit of {_MAX_VALUES:,}"
        )


def _count_values(array: Any) -> int:
    """Return how many values an array holds, those inside lists and structs as well."""
    from pyarrow import types

    kind = array.type
    if types.is_struct(kind):
        return len(array) + sum(_count_values(array.field(index)) for index in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return len(array) + _count_values(array.values)
    return len(array)


def _check_times(table: pa.Table) -> None:
    """Raise for a time that Python cannot say: an unknown zone, a year beyond 9999."""
    for column in table.columns:
        if _has_time(column.type):
            column.to_pylist()


def _has_time(kind: Any) -> bool:
    from pyarrow import types

    if types.is_temporal(kind):
        return True
    return any(_has_time(kind.field(index).type) for index in range(kind.num_fields))


def _is_plain(kind: Any, *, is_nested: bool) -> bool:
    """Whether every value of this type takes up bytes in the frame, so that a small frame stays small."""
    from pyarrow import types

    if types.is_null(kind):
        return not is_nested
    if types.is_fixed_size_list(kind) and kind.list_size < 1:
        return False
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_plain(kind.value_type, is_nested=True)
    if types.is_struct(kind):
        # Two fields of one name cannot become one Python object.
        is_named_apart = len({field.name for field in kind}) == kind.num_fields > 0
        return is_named_apart and all(_is_plain(field.type, is_nested=True) for field in kind)
    scalars = (
        *(types.is_boolean, types.is_integer, types.is_floating, types.is_decimal),
        *(types.is_string, types.is_large_string, types.is_temporal),
    )
    return any(is_kind(kind) for is_kind in scalars)


def _refuse_compression(body: bytes) -> None:
    """Raise ValueError if a record batch says that its buffers are compressed.

    Source: Arrow's Message.fbs; `header` is field 2 of Message, `compression` field 3 of RecordBatch.
    """
    import pyarrow as pa

    reader = pa.ipc.MessageReader.open_stream(body)
    batches = 0
    for message in reader:
        if message.type != "record batch":
            continue
        batches += 1
        if batches > _MAX_BATCHES:
            raise ValueError(f"it comes in more than {_MAX_BATCHES:,} pieces")
        metadata = message.metadata.to_pybytes()
        (root,) = struct.unpack_from("<I", metadata, 0)
        header = _field(metadata, root, 2)
        if header is None:
            raise ValueError("a record batch without a header")
        (offset,) = struct.unpack_from("<I", metadata, header)
        if _field(metadata, header + offset, 3) is not None:
            raise ValueError("its buffers are compressed")


def _field(metadata: bytes, table: int, index: int) -> int | None:
    """Return where a flatbuffer table keeps a field, None if it is absent."""
    (back,) = struct.unpack_from("<i", metadata, table)
    vtable = table - back
    (length,) = struct.unpack_from("<H", metadata, vtable)
    entry = 4 + 2 * index
    if vtable < 0 or entry + 2 > length:
        return None
    (offset,) = struct.unpack_from("<H", metadata, vtable + entry)
    return table + offset if offset else None
