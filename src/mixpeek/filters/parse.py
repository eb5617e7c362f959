"""From the JSON of a request to a filter; every fault is found at once, and each says what to write instead."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from typing import Any

from mixpeek.filters.model import (
    EVERYTHING,
    FLAGS,
    LISTS,
    ORDERS,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    FilterInvalid,
    NoneOf,
    Operator,
)
from mixpeek.filters.patterns import PatternInvalid, read_pattern
from mixpeek.filters.values import is_number, text_of, words_of
from mixpeek.text import fault_of_text

MOST_DEPTH = 10
MOST_CONDITIONS = 200
MOST_LISTED = 10_000

LOGIC = ("AND", "OR", "NOT")
CASE = ("case_sensitive", "case_insensitive")
CONDITION = ("field", "operator", "value")
# Spellings of other systems, with what they are called here.
_OPERATORS = {
    "=": "eq", "==": "eq", "equals": "eq", "is": "eq", "!=": "ne", "<>": "ne", "neq": "ne", "not_equals": "ne",
    ">": "gt", "<": "lt", ">=": "gte", "<=": "lte", "not_in": "nin", "like": "contains", "ilike": "contains",
    "match": "text", "is_not_null": "is_null", "prefix": "starts_with", "suffix": "ends_with",
}  # fmt: skip
_LOGIC_WORDS = {
    "and": "AND", "or": "OR", "not": "NOT", "must": "AND", "should": "OR", "must_not": "NOT",
    "$and": "AND", "$or": "OR", "$nor": "NOT", "$not": "NOT",
}  # fmt: skip
_KNOWN = frozenset(operator.value for operator in Operator)
_ABSENT = object()

Resolve = Callable[[str], Any]


def parse_filter(data: Any, *, case_sensitive: bool, resolve: Resolve | None = None) -> Filter:
    """Return the filter that a request's JSON says; None and `{}` mean everything.

    Args:
        case_sensitive: whether case matters where the filter does not say; lists and retriever stages differ in it.
        resolve: returns what `{"type": "dynamic", "field": "inputs.x"}` stands for; without it, these are refused.
    Raises: FilterInvalid: with every fault under `validation_errors`, each with its location.
    """
    if data is None:
        return EVERYTHING
    reader = _Reader(resolve)
    found = reader.read(data, ("filters",), case_sensitive, 1)
    if reader.faults:
        first = reader.faults[0]
        more = f" (and {len(reader.faults) - 1} more)" if len(reader.faults) > 1 else ""
        place = ".".join(map(str, first["location"]))
        raise FilterInvalid(f"{place}: {first['message']}{more}", validation_errors=reader.faults)
    return found


class _Reader:
    def __init__(self, resolve: Resolve | None) -> None:
        self.faults: list[dict[str, Any]] = []
        self._resolve = resolve
        self._conditions = 0

    def read(self, data: Any, at: tuple[str | int, ...], case_sensitive: bool, depth: int) -> Filter:
        if not isinstance(data, dict):
            hint = 'put the conditions into {"AND": […]}' if isinstance(data, list) else "send an object"
            return self._refuse(at, f"A filter is an object, not {_kind(data)}; {hint}")
        if depth > MOST_DEPTH:
            return self._refuse(at, f"Filters are nested {MOST_DEPTH} deep at most")
        case_sensitive = self._case(data, at, case_sensitive)
        if self._is_foreign(data, at):
            return EVERYTHING
        if "field" in data:
            return self._condition(data, at, case_sensitive)
        return self._logic(data, at, case_sensitive, depth)

    def _logic(self, data: dict[str, Any], at: tuple[str | int, ...], case_sensitive: bool, depth: int) -> Filter:
        parts: list[Filter] = []
        for key, value in data.items():
            if key in CASE or (key in LOGIC and value is None):
                continue
            place = (*at, key)
            if key not in LOGIC:
                parts.append(self._shorthand(key, value, place, case_sensitive))
                continue
            items = [value] if key == "NOT" and isinstance(value, dict) else value
            if not isinstance(items, list):
                self._refuse(place, f"{key} takes a list of filters, not {_kind(value)}")
                continue
            inner = tuple(self.read(item, (*place, n), case_sensitive, depth + 1) for n, item in enumerate(items))
            # An empty list is what a form without entries sends: it asks for nothing, so it excludes nothing.
            if inner:
                parts.append(AllOf(inner) if key == "AND" else AnyOf(inner) if key == "OR" else NoneOf(inner))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _is_foreign(self, data: dict[str, Any], at: tuple[str | int, ...]) -> bool:
        """Refuse what other systems, and some documents, write in place of this language."""
        if "conditions" in data and "field" not in data:
            word = _LOGIC_WORDS.get(str(data.get("operator", "and")).lower(), "AND")
            self._refuse(at, f'Conditions are not listed under `conditions`; write {{"{word}": […]}}')
            return True
        if "key" in data and "match" in data:
            self._refuse(at, 'Write {"field": …, "operator": "eq", "value": …} for `key` and `match`')
            return True
        foreign = [key for key, value in data.items() if key in _LOGIC_WORDS and isinstance(value, list | dict)]
        for key in foreign:
            self._refuse((*at, key), f"`{key}` is written {_LOGIC_WORDS[key]}")
        return bool(foreign)

    def _case(self, data: dict[str, Any], at: tuple[str | int, ...], inherited: bool) -> bool:
        said = {key: data[key] for key in CASE if data.get(key) is not None}
        for key, value in said.items():
            if not isinstance(value, bool):
                self._refuse((*at, key), f"{key} is true or false, not {_kind(value)}")
                return inherited
        meant = {value if key == "case_sensitive" else not value for key, value in said.items()}
        if len(meant) > 1:
            self._refuse(at, "case_sensitive and case_insensitive contradict each other; send one of them")
        return meant.pop() if meant else inherited

    def _shorthand(self, key: str, value: Any, at: tuple[str | int, ...], case_sensitive: bool) -> Filter:
        """Read `{"metadata.title": "x"}`, which means that the field equals the value."""
        if key in CONDITION:
            return self._refuse(at, f"`{key}` belongs to a condition, which needs a `field`")
        if isinstance(value, list):
            return self._refuse(at, f'Write {{"field": "{key}", "operator": "in", "value": […]}} for one of several')
        if isinstance(value, dict) and value.get("type") != "dynamic":
            near = difflib.get_close_matches(key.upper(), LOGIC, n=1)
            meant = f"did you mean {near[0]}?" if near else f'write {{"field": "{key}", "operator": …, "value": …}}'
            return self._refuse(at, f"A field cannot be compared like this; {meant}")
        return self._checked(key, Operator.EQ, value, at, case_sensitive)

    def _condition(self, data: dict[str, Any], at: tuple[str | int, ...], case_sensitive: bool) -> Filter:
        known = (*CONDITION, *CASE)
        for key in data.keys() - set(known):
            if key in LOGIC:
                self._refuse((*at, key), f"A condition has no {key}; put both into an AND")
                continue
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.4)
            advice = f"did you mean `{near[0]}`?" if near else f"a condition has: {', '.join(known)}"
            self._refuse((*at, key), f"Unknown key; {advice}")
        field = data["field"]
        if not isinstance(field, str) or not field.strip("."):
            return self._refuse((*at, "field"), "A field is named by a text such as `metadata.category`")
        operator = self._operator(data.get("operator"), at)
        if operator is None:
            return EVERYTHING
        value = data.get("value", _ABSENT)
        if value is _ABSENT:
            if operator not in FLAGS:
                return self._refuse(at, f"`{operator}` needs a `value`")
            value = True
        return self._checked(field, operator, value, (*at, "value"), case_sensitive)

    def _operator(self, name: Any, at: tuple[str | int, ...]) -> Operator | None:
        if name is None:
            return Operator.EQ
        if isinstance(name, str) and name in _KNOWN:
            return Operator(name)
        lower = str(name).lower().removeprefix("$")
        near = [_OPERATORS[lower]] if lower in _OPERATORS else difflib.get_close_matches(lower, list(Operator), n=1)
        advice = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(Operator)}"
        self._refuse((*at, "operator"), f"No operator {name!r}; {advice}")
        return None

    def _checked(
        self, field: str, operator: Operator, value: Any, at: tuple[str | int, ...], case_sensitive: bool
    ) -> Filter:
        self._conditions += 1
        if self._conditions == MOST_CONDITIONS + 1:
            self._refuse(at, f"A filter has {MOST_CONDITIONS} conditions at most; `in` compares with many values")
        if isinstance(value, dict) and value.get("type") == "dynamic":
            if self._resolve is None or not isinstance(value.get("field"), str):
                return self._refuse(at, "A dynamic value stands for an input of a retriever, and here is none")
            value = self._resolve(value["field"])
        fault = (
            fault_of_text(field)
            or _fault_of_numbers(value)
            or fault_of_text(value)
            or _fault_of_value(operator, value, case_sensitive)
        )
        return self._refuse(at, fault) if fault else Condition(field, operator, value, case_sensitive)

    def _refuse(self, at: tuple[str | int, ...], message: str) -> Filter:
        self.faults.append({"type": "filter", "location": list(at), "message": message})
        return EVERYTHING


def _fault_of_value(operator: Operator, value: Any, case_sensitive: bool) -> str | None:  # noqa: PLR0911
    if operator in FLAGS:
        return None if isinstance(value, bool) else f"`{operator}` takes true or false, not {_kind(value)}"
    if operator in LISTS:
        if not isinstance(value, list):
            return f"`{operator}` takes a list, not {_kind(value)}"
        return f"`{operator}` takes {MOST_LISTED} values at most" if len(value) > MOST_LISTED else None
    if operator in ORDERS:
        fits = is_number(value) or isinstance(value, str)
        return None if fits else f"`{operator}` compares numbers and texts, not {_kind(value)}"
    if operator in (Operator.EQ, Operator.NE):
        return None
    text = text_of(value)
    if text is None:
        return f"`{operator}` takes a text, not {_kind(value)}"
    if operator is Operator.TEXT and not words_of(text):
        return "`text` takes words to look for, and there is none"
    if operator is Operator.REGEX:
        try:
            read_pattern(text, case_sensitive=case_sensitive)
        except PatternInvalid as error:
            return f"The regular expression cannot be used: {error}"
    return None


def _fault_of_numbers(value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "A number is finite"
    items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return next((fault for item in items if (fault := _fault_of_numbers(item))), None)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a truth value"
    names = {"str": "a text", "int": "a number", "float": "a number", "list": "a list", "dict": "an object"}
    return names.get(type(value).__name__, "that")
