"""Figures over documents: counts, sums, averages and extremes, by group."""

from __future__ import annotations

from typing import Any

from mixpeek.db.pool import Connection, dict_rows
from mixpeek.db.time_limit import time_limit
from mixpeek.documents.listing import statement_of
from mixpeek.documents.port import Index
from mixpeek.documents.schemas import Aggregate, GroupBy, Operation
from mixpeek.documents.surface import SURFACE
from mixpeek.filters.parse import parse_filter
from mixpeek.filters.query import Query
from mixpeek.filters.sql import compile_value

_SIGNS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def aggregate(connection: Connection, index: Index, wanted: Aggregate) -> list[dict[str, Any]]:
    """Return `{group, metrics}` for each group.

    Sums and averages read numbers and leave anything else out; `min` and `max` compare texts as well. A document
    without a grouped field belongs to the group of null.
    """
    query = Query(wanted.limit, parse_filter(wanted.filters, case_sensitive=False))
    statement = statement_of(index, query)
    params = dict(statement.params)
    groups = [_group(group, n, params) for n, group in enumerate(wanted.group_by)]
    figures = [_figure(operation, n, params) for n, operation in enumerate(wanted.aggregations)]
    columns = [f"{sql} AS g{n}" for n, sql in enumerate(groups)] + [f"{sql} AS f{n}" for n, sql in enumerate(figures)]
    names = {operation.alias: f"f{n}" for n, operation in enumerate(wanted.aggregations)}
    keys = {group.alias or group.field: f"g{n}" for n, group in enumerate(wanted.group_by)}
    grouping = f" GROUP BY {', '.join(str(n + 1) for n in range(len(groups)))}" if groups else ""
    having = []
    for n, condition in enumerate(wanted.having):
        params[f"having_{n}"] = condition.value
        # As JSON, for a minimum may be a text: it is then no number to compare with.
        having.append(
            f"to_jsonb({names[condition.field]}) {_SIGNS[condition.operator]} to_jsonb(%(having_{n})s::numeric)"
        )
    order = [f"g{n}" for n in range(len(groups))]
    if wanted.sort_by is not None:
        column = names.get(wanted.sort_by) or keys[wanted.sort_by]
        order.insert(0, f"{column} {wanted.sort_direction.upper()} NULLS LAST")
    with time_limit(connection):
        rows = dict_rows(
            connection,
            f"SELECT * FROM (SELECT {', '.join(columns)} {statement.everything()}{grouping}) AS figures"
            f"{' WHERE ' + ' AND '.join(having) if having else ''}"
            f"{' ORDER BY ' + ', '.join(order) if order else ''} LIMIT %(aggregate_limit)s",
            {**params, "aggregate_limit": wanted.limit},
        )
    return [
        {
            "group": {key: row[column] for key, column in keys.items()},
            "metrics": {alias: row[column] for alias, column in names.items()},
        }
        for row in rows
    ]


def _group(group: GroupBy, n: int, params: dict[str, Any]) -> str:
    value = compile_value(group.field, SURFACE, prefix=f"group{n}")
    params |= value.params
    unit = group.date_trunc or group.date_part
    if unit is None:
        return f"COALESCE({value.text}, 'null')"
    text = f"({value.text} #>> '{{}}')"
    moment = f"(CASE WHEN pg_input_is_valid({text}, 'timestamptz') THEN {text}::timestamptz END AT TIME ZONE 'UTC')"
    if group.date_part:
        return f"COALESCE(to_jsonb(extract({unit} FROM {moment})), 'null')"
    trunc = f"to_char(date_trunc('{unit}', {moment}), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    return f"COALESCE(to_jsonb({trunc}), 'null')"


def _figure(operation: Operation, n: int, params: dict[str, Any]) -> str:
    if operation.read is None:
        return "count(*)"
    value = compile_value(operation.read, SURFACE, prefix=f"figure{n}")
    params |= value.params
    match operation.function:
        case "count":
            return f"count({value.text})"
        case "count_distinct":
            return f"count(DISTINCT {value.text})"
        case "sum" | "avg":
            number = f"CASE jsonb_typeof({value.text}) WHEN 'number' THEN {value.text}::numeric END"
            return f"{operation.function}({number})::float"
        case _:
            ordered = f"CASE WHEN jsonb_typeof({value.text}) IN ('number', 'string') THEN {value.text} END"
            direction = "ASC" if operation.function == "min" else "DESC"
            return f"(array_agg({ordered} ORDER BY {ordered} {direction} NULLS LAST))[1]"
