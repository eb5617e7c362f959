"""Which of its sources a collection, or one run of it, takes: a part of the documented filters. Pure.

The one place where batches ask of a source whether it matches; operators it does not know are refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mixpeek.collections.mappings import value_at
from mixpeek.errors import InvalidRequest

Condition = Callable[[Any, Any], bool]

OPERATORS: dict[str, Condition] = {
    "eq": lambda found, wanted: bool(found == wanted),
    "ne": lambda found, wanted: bool(found != wanted),
    "gt": lambda found, wanted: bool(found > wanted),
    "gte": lambda found, wanted: bool(found >= wanted),
    "lt": lambda found, wanted: bool(found < wanted),
    "lte": lambda found, wanted: bool(found <= wanted),
    "in": lambda found, wanted: found in wanted,
    "nin": lambda found, wanted: found not in wanted,
    "contains": lambda found, wanted: wanted in found,
    "starts_with": lambda found, wanted: found.startswith(wanted),
    "ends_with": lambda found, wanted: found.endswith(wanted),
}
_PRESENCE = ("exists", "is_null")
_LOGIC = ("AND", "OR", "NOT")


def check_filters(filters: Any, where: str = "source_filters") -> None:
    """Raise InvalidRequest for filters that `matches` cannot answer, naming the part."""
    if not isinstance(filters, Mapping):
        raise InvalidRequest(f"`{where}` is no filter", hint='Write {"field": …, "operator": "eq", "value": …}')
    if "field" in filters:
        _check_condition(filters, where)
        return
    unknown = sorted(set(filters) - {*_LOGIC, "case_sensitive"})
    if unknown or not any(filters.get(key) for key in _LOGIC):
        named = f"`{where}.{unknown[0]}` is not known" if unknown else f"`{where}` holds no condition"
        raise InvalidRequest(named, hint="Write a condition (`field`, `operator`, `value`), or AND, OR, NOT over some")
    for key in _LOGIC:
        for number, part in enumerate(_listed(filters.get(key))):
            check_filters(part, f"{where}.{key}[{number}]")


def matches(filters: Mapping[str, Any], fields: Mapping[str, Any], *, case_sensitive: bool = False) -> bool:
    """Tell whether checked filters let a source with these fields through.

    A field that is missing, or of a kind the operator cannot compare, does not match; text is compared without case
    unless the filters say `case_sensitive`.
    """
    case_sensitive = bool(filters.get("case_sensitive", case_sensitive))

    def does(part: Mapping[str, Any]) -> bool:
        return matches(part, fields, case_sensitive=case_sensitive)

    if "field" in filters:
        return _holds(filters, fields, case_sensitive=case_sensitive)
    return (
        all(map(does, _listed(filters.get("AND"))))
        and (not filters.get("OR") or any(map(does, _listed(filters["OR"]))))
        and not any(map(does, _listed(filters.get("NOT"))))
    )


def _check_condition(condition: Mapping[str, Any], where: str) -> None:
    unknown = sorted(set(condition) - {"field", "operator", "value"})
    operator = condition.get("operator", "eq")
    if unknown:
        raise InvalidRequest(f"`{where}.{unknown[0]}` is not known", hint="Keys are `field`, `operator` and `value`")
    if operator not in (*OPERATORS, *_PRESENCE):
        known = ", ".join((*OPERATORS, *_PRESENCE))
        raise InvalidRequest(f"`{where}.operator` {operator!r} is not served here", hint=f"Use one of {known}")
    if operator in ("in", "nin") and not isinstance(condition.get("value"), list):
        raise InvalidRequest(f"`{where}.value` must be a list for `{operator}`", hint="Write the values in a list")
    if not isinstance(condition["field"], str):
        raise InvalidRequest(f"`{where}.field` is no name", hint="Write the path of a field, as in `metadata.topic`")


def _holds(condition: Mapping[str, Any], fields: Mapping[str, Any], *, case_sensitive: bool) -> bool:
    operator, wanted = condition.get("operator", "eq"), condition.get("value")
    found = value_at(fields, condition["field"])
    if operator in _PRESENCE:
        wants_null = (operator == "is_null") == (wanted is not False)
        return (found is None) is wants_null
    if found is None:
        return False
    if not case_sensitive:
        found, wanted = _folded(found), _folded(wanted)
    try:
        return OPERATORS[operator](found, wanted)
    except (TypeError, AttributeError):
        return False


def _folded(value: Any) -> Any:
    if isinstance(value, list):
        return [_folded(one) for one in value]
    return value.casefold() if isinstance(value, str) else value


def _listed(parts: Any) -> list[Any]:
    return parts if isinstance(parts, list) else [] if parts is None else [parts]
