"""The rules over what makes a plugin slow, wrong or empty in production: one file per rule, listed here."""

from __future__ import annotations

from mixpeek.inspection.rules.base import Rule
from mixpeek.inspection.rules.lint import (
    blocking_in_async,
    count_changed,
    document_id,
    event_loop,
    first_only,
    http_by_row,
    iterrows,
    model_by_row,
    model_in_init,
    model_per_call,
    none_returned,
    printed_rows,
    result_key,
    secret_literal,
    secret_parameter,
    tokenized_by_row,
    unknown_column,
    walked_by_row,
)

RULES: tuple[Rule, ...] = (
    model_by_row.RULE,
    walked_by_row.RULE,
    tokenized_by_row.RULE,
    iterrows.RULE,
    event_loop.RULE,
    http_by_row.RULE,
    first_only.RULE,
    count_changed.RULE,
    document_id.RULE,
    none_returned.RULE,
    unknown_column.RULE,
    printed_rows.RULE,
    model_in_init.RULE,
    model_per_call.RULE,
    blocking_in_async.RULE,
    result_key.RULE,
    secret_parameter.RULE,
    secret_literal.RULE,
)
