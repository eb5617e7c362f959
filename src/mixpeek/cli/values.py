"""Values on a command line: JSON objects, `NAME=VALUE`, and conditions such as `year>=2020`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mixpeek.errors import InvalidRequest

# The longer ones first, so that `>=` is not taken for `>`.
_OPERATORS = {"!=": "ne", ">=": "gte", "<=": "lte", "=": "eq", ">": "gt", "<": "lt", "~": "contains"}
_CONDITION = re.compile(rf"(?P<field>[^!<>=~]+?)(?P<operator>{'|'.join(_OPERATORS)})(?P<value>.*)", re.DOTALL)


def object_from(name: str, text: str) -> dict[str, Any]:
    """Return the JSON object given as such, in a file as `@FILE`, or on stdin as `-`; raise InvalidRequest."""
    try:
        value = json.loads(_read(text))
    except (ValueError, OSError) as error:
        raise InvalidRequest(f"{name} is not JSON: {error}", hint=_form(name)) from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name} is not a JSON object", hint=_form(name))
    return value


def _read(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    return Path(text[1:]).read_text() if text.startswith("@") else text


def _form(name: str) -> str:
    return f'Give {name} as \'{{"text": "hello"}}\', `@FILE` with such JSON in it, or `-` for stdin'


def pairs_from(name: str, given: Iterable[str]) -> dict[str, str]:
    """Return `NAME=VALUE`, given any number of times, as a mapping; raise InvalidRequest."""
    pairs: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise InvalidRequest(f"`{name} {text}` is not of the form NAME=VALUE", hint=f"Write `{name} title=text`")
        pairs[key] = value
    return pairs


def filters_from(conditions: Iterable[str]) -> dict[str, Any] | None:
    """Return conditions such as `year>=2020` as filters that all of them must meet, None if there are none.

    A value that is JSON, such as a number or `true`, is taken as such, and any other as text.
    """
    parsed = [_condition(text) for text in conditions]
    return {"AND": parsed} if parsed else None


def _condition(text: str) -> dict[str, Any]:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise InvalidRequest(
            f"`--filter {text}` is no condition",
            hint="Write FIELD, one of = != > >= < <= or ~ (contains), and a value, as in `--filter 'year>=2020'`",
        )
    operator = _OPERATORS[found["operator"]]
    return {"field": found["field"].strip(), "operator": operator, "value": _value(found["value"].strip())}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
