"""A filter once it has been read: conditions on fields, put together by AND, OR and NOT."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mixpeek.errors import InvalidRequest


class FilterInvalid(InvalidRequest):
    """The filter cannot be read."""

    code = "filter.invalid"
    hint = 'A condition is {"field": …, "operator": …, "value": …}; put several into {"AND": […]}, "OR" or "NOT"'


class Operator(StrEnum):
    EQ = "eq"
    NE = "ne"
    GT = "gt"
    LT = "lt"
    GTE = "gte"
    LTE = "lte"
    IN = "in"
    NIN = "nin"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    REGEX = "regex"
    EXISTS = "exists"
    IS_NULL = "is_null"
    TEXT = "text"


ORDERS = frozenset({Operator.GT, Operator.LT, Operator.GTE, Operator.LTE})
FLAGS = frozenset({Operator.EXISTS, Operator.IS_NULL})
LISTS = frozenset({Operator.IN, Operator.NIN})


@dataclass(frozen=True)
class Condition:
    """One field compared with one value; `value` is a list for `in` and `nin`, a bool for `exists` and `is_null`."""

    field: str
    operator: Operator
    value: Any
    case_sensitive: bool


@dataclass(frozen=True)
class AllOf:
    """Holds where every part does; without parts, everywhere."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class AnyOf:
    """Holds where at least one part does."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class NoneOf:
    """Holds where no part does."""

    parts: tuple[Filter, ...]


Filter = Condition | AllOf | AnyOf | NoneOf
EVERYTHING = AllOf(())
