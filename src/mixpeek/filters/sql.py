"""A filter as a condition of PostgreSQL: every name and value of the request is a parameter.

Needs PostgreSQL 17 or newer, whose collation `pg_c_utf8` folds case alike on every machine. A condition never is null,
and casts stand behind a look at the value's type, so no stored value makes a statement fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, assert_never

from mixpeek.filters.evaluate import members_of, timed
from mixpeek.filters.model import ORDERS, AllOf, AnyOf, Condition, Filter, NoneOf, Operator
from mixpeek.filters.patterns import read_pattern
from mixpeek.filters.surface import Column, Place, Surface
from mixpeek.filters.values import (
    NUMBER,
    NUMBER_MOST_CHARACTERS,
    SEPARATORS,
    Members,
    decimal_of,
    fold,
    number_from_text,
    text_of,
    words_of,
)

_ORDERS = {Operator.GT: ">", Operator.LT: "<", Operator.GTE: ">=", Operator.LTE: "<="}
_TIME = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


@dataclass(frozen=True)
class Fragment:
    """A part of a statement, and its parameters by name; written `%(name)s`, so the statement takes a dictionary."""

    text: str
    params: dict[str, Any] = field(default_factory=dict)


def compile_filter(wanted: Filter, surface: Surface, *, prefix: str = "filter") -> Fragment:
    """Return a filter as a condition that is true or false, never null.

    Args: prefix: what the names of parameters begin with; another for each fragment of a statement.
    Raises: FilterInvalid: a field that the surface does not have.
    """
    writer = _Writer(surface, prefix)
    return Fragment(writer.condition(wanted), writer.params)


def compile_search(term: str, surface: Surface, *, prefix: str = "search") -> Fragment:
    """Return the condition that any searched field holds `term`, or any text within it does; case makes no difference.

    A JSON column is searched in all the texts it holds, however deep.
    """
    writer = _Writer(surface, prefix)
    word = writer.param(fold(term))
    tests = []
    for name in surface.searched:
        column = surface.columns.get(name, surface.rest)
        assert column is not None, f"the surface searches {name!r}, which it does not have"
        if column.kind == "json":
            within = f"jsonb_path_query({column.name}, '$.**') AS inner_text(value)"
            test = f"strpos({_folded('inner_text.value')}, {word}) > 0"
            tests.append(f"EXISTS (SELECT FROM {within} WHERE jsonb_typeof(inner_text.value) = 'string' AND {test})")
        else:
            tests.append(f"COALESCE(strpos({_folded(_json(column))}, {word}) > 0, false)")
    return Fragment(f"({' OR '.join(tests)})", writer.params)


def compile_value(name: str, surface: Surface, *, prefix: str = "value") -> Fragment:
    """Return a field's value as JSON, SQL's null where it is missing."""
    writer = _Writer(surface, prefix)
    return Fragment(writer.value(name), writer.params)


class _Writer:
    def __init__(self, surface: Surface, prefix: str) -> None:
        self._surface = surface
        self._prefix = prefix
        self.params: dict[str, Any] = {}

    def param(self, value: Any, cast: str = "text") -> str:
        name = f"{self._prefix}_{len(self.params)}"
        self.params[name] = value
        return f"%({name})s::{cast}"

    def value(self, name: str) -> str:
        found = [self._place(place) for place in self._surface.places(name)]
        return found[0] if len(found) == 1 else f"COALESCE({', '.join(found)})"

    def _place(self, place: Place) -> str:
        json_value = _json(place.column)
        return f"({json_value} #> {self.param(list(place.path), 'text[]')})" if place.path else json_value

    def condition(self, wanted: Filter) -> str:
        match wanted:
            case Condition():
                return self._field(timed(wanted, self._surface))
            case AllOf(parts):
                return f"({' AND '.join(map(self.condition, parts))})" if parts else "true"
            case AnyOf(parts):
                return f"({' OR '.join(map(self.condition, parts))})" if parts else "false"
            case NoneOf(parts):
                return f"(NOT {self.condition(AnyOf(parts))})"
            case _:
                assert_never(wanted)

    def _field(self, condition: Condition) -> str:
        value = self.value(condition.field)
        operator = condition.operator
        if operator is Operator.EXISTS:
            return f"({value} IS {'NOT ' if condition.value else ''}NULL)"
        if operator is Operator.IS_NULL:
            return f"COALESCE(jsonb_typeof({value}) {'=' if condition.value else '<>'} 'null', false)"
        if operator in (Operator.EQ, Operator.IN):
            return f"COALESCE({self._among(value, members_of(condition))}, false)"
        if operator in (Operator.NE, Operator.NIN):
            return f"COALESCE(NOT {self._among(value, members_of(condition))}, false)"
        test = self._ordered(condition) if operator in ORDERS else self._reading(condition)
        of_item = test
        if operator is Operator.CONTAINS:
            of_item = self._item_test(members_of(condition))
        of_any = _any(value, of_item)
        return f"COALESCE(CASE jsonb_typeof({value}) WHEN 'array' THEN {of_any} ELSE {test(value)} END, false)"

    def _among(self, value: str, members: Members) -> str:
        """Return whether a value is among others; null where it can be compared with none of them."""
        test = self._item_test(members)
        whole = _any(value, test)
        if members.structures:
            whole = f"({value} = ANY({self._structures(members)}) OR {whole})"
        return f"(CASE jsonb_typeof({value}) WHEN 'array' THEN {whole} ELSE {test(value)} END)"

    def _item_test(self, members: Members) -> Callable[[str], str]:
        """Return what writes whether one value, a list taken as a whole, is among others."""
        texts = self.param(sorted(members.texts), "text[]") if members.texts else None
        numbers = self._numbers(members.numbers)
        truths = self.param(sorted(members.truths), "boolean[]") if members.truths else None
        all_numbers = self._numbers(members.numbers | members.spelt_numbers)
        all_truths = sorted(members.truths | members.spelt_truths)
        structures = self._structures(members) if members.structures else None
        truth_param = self.param(all_truths, "boolean[]") if all_truths else None

        def test(value: str) -> str:
            text = f"({value} #>> '{{}}')"
            compared = _as_written(value) if members.is_exact else _folded(value)
            found = [f"({compared} = ANY({texts}))"] if texts else []
            if numbers:
                found.append(f"({_number_in(text)} = ANY({numbers}))")
            if truths:
                spelt = f"CASE WHEN {_folded(value)} IN ('true', 'false') THEN {text}::boolean END"
                found.append(f"({spelt} = ANY({truths}))")
            cases = {
                "string": _or_where_known(found),
                "number": f"({value}::numeric = ANY({all_numbers}))" if all_numbers else "NULL",
                "boolean": f"({value}::boolean = ANY({truth_param}))" if truth_param else "NULL",
                "null": "true" if members.has_null else "false",
            }
            branches = " ".join(f"WHEN '{kind}' THEN {branch}" for kind, branch in cases.items())
            other = f"{value} = ANY({structures})" if structures else "NULL"
            return f"(CASE jsonb_typeof({value}) {branches} ELSE {other} END)"

        return test

    def _numbers(self, numbers: frozenset[Decimal]) -> str | None:
        return self.param(sorted(numbers), "numeric[]") if numbers else None

    def _structures(self, members: Members) -> str:
        return self.param([json.dumps(structure) for structure in members.structures], "text[]") + "::jsonb[]"

    def _ordered(self, condition: Condition) -> Callable[[str], str]:
        sign, wanted = _ORDERS[condition.operator], condition.value
        number = number_from_text(wanted) if isinstance(wanted, str) else decimal_of(wanted)
        wanted_number = self.param(number, "numeric") if number is not None else None
        wanted_text = self.param(wanted) if isinstance(wanted, str) else None

        def test(value: str) -> str:
            text = f"({value} #>> '{{}}')"
            of_text = (
                f'{text} COLLATE "C" {sign} {wanted_text}'
                if wanted_text
                else f"{_number_in(text)} {sign} {wanted_number}"
            )
            of_number = f"{value}::numeric {sign} {wanted_number}" if wanted_number else "NULL"
            return f"(CASE jsonb_typeof({value}) WHEN 'string' THEN {of_text} WHEN 'number' THEN {of_number} END)"

        return test

    def _reading(self, condition: Condition) -> Callable[[str], str]:
        wanted = text_of(condition.value)
        assert wanted is not None, "the filter was not read by `parse`"
        is_exact = condition.case_sensitive
        folded = wanted if is_exact else fold(wanted)
        if condition.operator is Operator.TEXT:
            words = self.param(words_of(wanted), "text[]")
            longest = self.param(max(words_of(wanted), key=len))
        elif condition.operator is Operator.REGEX:
            pattern = self.param(read_pattern(wanted, case_sensitive=is_exact).postgres)
        else:
            part = self.param(folded)

        def test(value: str) -> str:
            text = _as_written(value) if is_exact else _folded(value)
            match condition.operator:
                case Operator.CONTAINS:
                    found = f"strpos({text}, {part}) > 0"
                case Operator.STARTS_WITH:
                    found = f"starts_with({text}, {part})"
                case Operator.ENDS_WITH:
                    found = f"right({text}, length({part})) = {part}"
                case Operator.TEXT:
                    spaced = f"regexp_replace({_folded(value)} COLLATE \"C\", '[{SEPARATORS}]+', ' ', 'g')"
                    # Most texts lack the longest word, and to see that costs a twentieth of taking them apart.
                    found = f"strpos({_folded(value)}, {longest}) > 0 AND string_to_array({spaced}, ' ') @> {words}"
                case _:
                    found = f'{text} COLLATE "C" ~ {pattern}'
            return f"(CASE WHEN jsonb_typeof({value}) IN ('string', 'number', 'boolean') THEN {found} END)"

        return test


def _json(column: Column) -> str:
    if column.kind == "json":
        return column.name
    if column.kind == "time":
        return f"to_jsonb(to_char({column.name} AT TIME ZONE 'UTC', '{_TIME}'))"
    return f"to_jsonb({column.name})"


def _as_written(value: str) -> str:
    return f"({value} #>> '{{}}')"


def _folded(value: str) -> str:
    return f"lower(({value} #>> '{{}}') COLLATE \"pg_c_utf8\")"


def _number_in(text: str) -> str:
    """Return the number that a text spells out, null if it spells none."""
    spells = f"length({text}) <= {NUMBER_MOST_CHARACTERS} AND {text} COLLATE \"C\" ~ '^{NUMBER}$'"
    return f"(CASE WHEN {spells} THEN {text}::numeric END)"


def _any(value: str, test: Callable[[str], str]) -> str:
    return f"EXISTS (SELECT FROM jsonb_array_elements({value}) AS item(value) WHERE {test('item.value')})"


def _or_where_known(found: list[str]) -> str:
    """Return whether any of these is true; false where one is known and none is true; null where none is known."""
    if len(found) < 2:
        return found[0] if found else "NULL"
    return f"COALESCE({' OR '.join(found)}, {', '.join(found)})"
