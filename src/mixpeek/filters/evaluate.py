"""What a filter means, asked of one record in memory; `sql` is held to it by a property test.

A condition on a field that is not there does not hold, whatever its operator, but for `exists: false`. Values of
different kinds are compared where one of them spells out the other (`"5"` and 5, `"true"` and true); where neither
does, the condition does not hold, `ne` and `nin` included. A condition on a list holds where it holds for one of its
items; `ne` and `nin` where no item is among the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any, assert_never

from mixpeek.filters.model import LISTS, ORDERS, AllOf, AnyOf, Condition, Filter, NoneOf, Operator
from mixpeek.filters.patterns import read_pattern
from mixpeek.filters.surface import MISSING, Surface, time_from_text
from mixpeek.filters.values import (
    Members,
    decimal_of,
    fold,
    is_number,
    number_from_text,
    same,
    text_of,
    truth_from_text,
    words_of,
)

_COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.GT: gt,
    Operator.LT: lt,
    Operator.GTE: ge,
    Operator.LTE: le,
}


def matches(wanted: Filter, surface: Surface, record: Mapping[str, Any]) -> bool:
    """Tell whether a record, which holds the value of each column of `surface` by its name, passes a filter.

    Raises: FilterInvalid: a field that the surface does not have.
    """
    match wanted:
        case Condition():
            return _holds(timed(wanted, surface), surface.read(record, wanted.field))
        case AllOf(parts):
            return all(matches(part, surface, record) for part in parts)
        case AnyOf(parts):
            return any(matches(part, surface, record) for part in parts)
        case NoneOf(parts):
            return not any(matches(part, surface, record) for part in parts)
        case _:
            assert_never(wanted)


def timed(condition: Condition, surface: Surface) -> Condition:
    """Return a condition whose values are written as the surface's times are, where its field is a time."""
    if not surface.is_time(condition.field):
        return condition
    value = condition.value
    if condition.operator in LISTS:
        value = [time_from_text(condition.field, item) for item in value]
    elif condition.operator in ORDERS or (
        condition.operator in (Operator.EQ, Operator.NE) and condition.value is not None
    ):
        value = time_from_text(condition.field, value)
    return Condition(condition.field, condition.operator, value, condition.case_sensitive)


def _holds(condition: Condition, value: Any) -> bool:  # noqa: PLR0911
    operator = condition.operator
    if value is MISSING:
        return operator is Operator.EXISTS and condition.value is False
    if operator is Operator.EXISTS:
        return bool(condition.value)
    if operator is Operator.IS_NULL:
        return (value is None) is condition.value
    if operator in (Operator.EQ, Operator.IN):
        return _is_among(value, members_of(condition)) is True
    if operator in (Operator.NE, Operator.NIN):
        return _is_among(value, members_of(condition)) is False
    if operator is Operator.CONTAINS and isinstance(value, list):
        members = members_of(condition)
        return any(_is_item_among(item, members) for item in value)
    test = _ordered if operator in ORDERS else _reads
    return any(test(condition, item) for item in (value if isinstance(value, list) else [value]))


def members_of(condition: Condition) -> Members:
    """Return the values that a condition looks for among."""
    values = condition.value if condition.operator in LISTS else [condition.value]
    return Members.of(values, case_sensitive=condition.case_sensitive)


def _is_among(value: Any, members: Members) -> bool | None:
    """Tell whether a value is among others; None where it can be compared with none of them."""
    if isinstance(value, list):
        whole = any(same(value, structure) for structure in members.structures)
        return whole or any(_is_item_among(item, members) for item in value)
    return _is_item_among(value, members)


def _is_item_among(value: Any, members: Members) -> bool | None:
    if value is None:
        return members.has_null
    if isinstance(value, list | dict):
        return any(same(value, structure) for structure in members.structures) if members.structures else None
    if isinstance(value, bool):
        truths = members.truths | members.spelt_truths
        return value in truths if truths else None
    if isinstance(value, str):
        return _is_text_among(value, members)
    numbers = members.numbers | members.spelt_numbers
    return decimal_of(value) in numbers if numbers else None


def _is_text_among(text: str, members: Members) -> bool | None:
    found = [(text if members.is_exact else fold(text)) in members.texts] if members.texts else []
    number, truth = number_from_text(text), truth_from_text(text)
    if members.numbers and number is not None:
        found.append(number in members.numbers)
    if members.truths and truth is not None:
        found.append(truth in members.truths)
    return any(found) if found else None


def _ordered(condition: Condition, value: Any) -> bool:
    compare, wanted = _COMPARE[condition.operator], condition.value
    if isinstance(value, bool):
        return False
    if isinstance(wanted, str):
        if isinstance(value, str):
            return compare(value, wanted)
        wanted = number_from_text(wanted)
    stored = value if is_number(value) else number_from_text(value) if isinstance(value, str) else None
    return stored is not None and wanted is not None and compare(decimal_of(stored), decimal_of(wanted))


def _reads(condition: Condition, value: Any) -> bool:
    text, wanted = text_of(value), text_of(condition.value)
    if text is None or wanted is None:
        return False
    if not condition.case_sensitive and condition.operator is not Operator.REGEX:
        wanted = fold(wanted)
    compared = text if condition.case_sensitive else fold(text)
    match condition.operator:
        case Operator.CONTAINS:
            return wanted in compared
        case Operator.STARTS_WITH:
            return compared.startswith(wanted)
        case Operator.ENDS_WITH:
            return compared.endswith(wanted)
        case Operator.TEXT:
            return set(words_of(wanted)) <= set(words_of(text))
        case _:
            return _finds(wanted, compared, case_sensitive=condition.case_sensitive)


def _finds(pattern: str, text: str, *, case_sensitive: bool) -> bool:
    import re2  # only where a pattern is asked for: most records are filtered by the database

    return re2.search(read_pattern(pattern, case_sensitive=case_sensitive).re2, text) is not None
