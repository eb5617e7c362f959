"""Whether a declared schema is a JSON Schema that stands on its own.

The judgement of each keyword is `jsonschema`'s, against the published meta-schemas; it is imported when a schema comes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from mixpeek.inspection.manifest_report import ManifestReport, Path, dotted

MAX_VALUES = 5_000
_MAX_REPORTED = 20
_MAX_MESSAGE = 200
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_ALIASES = {
    "str": "string", "text": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array",
    "dict": "object", "none": "null",
}  # fmt: skip
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# What stands below these are values, not schemas; below the second kind, the keys are names and not keywords.
_VALUES = frozenset({"const", "default", "enum", "example", "examples"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
# Those that say something about an object, or where to read it; a dict without any of them is a list of fields.
_KEYWORDS = frozenset(
    {*_REFERENCES, *_NAMED, "$schema", "$id", "type", "title", "description", "required", "additionalProperties"}
    | {"allOf", "anyOf", "oneOf", "not", "if", "enum", "const", "items", "propertyNames", "minProperties"}
    | {"maxProperties", "dependentRequired", "unevaluatedProperties", "$comment", "default", "examples"}
)
_OUTSIDE_HINT = "Put what it refers to below `$defs` of this schema, and refer to it as `#/$defs/...`"


def check_schema(name: str, schema: Mapping[str, Any], report: ManifestReport) -> None:
    """Report what keeps ``schema``, the field ``name`` of the manifest, from being a JSON Schema of its own."""
    if not schema:
        return
    schemas = list(_schemas((name,), schema))
    if len(schemas) > MAX_VALUES:
        report.add(
            "manifest.schema_too_large",
            f"`{name}` has more than {MAX_VALUES:,} parts",
            "Describe the rows in general, not every one of them",
            name,
        )
        return
    _check_keywords(name, schema, report)
    for path, part in schemas[:MAX_VALUES]:
        _check_references(path, part, schema, report)


def _check_keywords(name: str, schema: Mapping[str, Any], report: ManifestReport) -> None:
    from jsonschema import Draft202012Validator  # a tenth of a second, for the few commands that see a schema
    from jsonschema.validators import validator_for

    named = isinstance(schema.get("$schema"), str)
    kind = validator_for(schema, default=Draft202012Validator) if named else Draft202012Validator
    said: set[tuple[Path, str]] = set()
    for fault in kind(kind.META_SCHEMA).iter_errors(schema):
        path = (name, *fault.absolute_path)
        message = _message(fault.validator, fault.instance, fault.message, path)
        if (path, message) in said:  # a meta-schema of several parts says some things several times
            continue
        said.add((path, message))
        report.add("manifest.invalid_schema", f"`{dotted(*path)}`: {message}", _hint(path, fault.instance), *path)
        if len(said) >= _MAX_REPORTED:
            return
    if not said and not _KEYWORDS & schema.keys():
        report.warn(
            "manifest.schema_says_nothing",
            f"`{name}` has none of JSON Schema's keywords, so it describes nothing",
            'Write `{"type": "object", "properties": {...}}` around it',
            name,
        )


def _message(validator: str, value: Any, message: str, path: Path) -> str:
    if path[-1] == "type" and isinstance(value, str):
        return f"{value[:60]!r} is not a type of JSON Schema"
    if validator == "type" and not isinstance(value, Mapping | list):
        return message[:_MAX_MESSAGE]
    return message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}…"


def _hint(path: Path, value: Any) -> str:
    if path[-1] != "type":
        return "Correct it, or give a pydantic model class instead"
    close = difflib.get_close_matches(str(value)[:60].lower(), [*_ALIASES, *_TYPES], n=1, cutoff=0.6)
    meant = _ALIASES.get(close[0], close[0]) if close else None
    return f"Did you mean `{meant}`?" if meant else f"Use one of {', '.join(_TYPES)}"


def _schemas(path: Path, schema: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield every mapping that is itself a schema; depth is capped before this is called."""
    waiting: list[tuple[Path, Any, bool]] = [(path, schema, False)]
    counted = 0
    while waiting and counted <= MAX_VALUES:
        at, value, is_named = waiting.pop()
        counted += 1
        if isinstance(value, list):
            waiting += [((*at, index), item, False) for index, item in enumerate(value)]
        elif isinstance(value, Mapping):
            if not is_named:
                yield at, value
            waiting += [
                ((*at, key), item, not is_named and key in _NAMED)
                for key, item in value.items()
                if is_named or key not in _VALUES
            ]
    if counted > MAX_VALUES:
        yield from (((), {}) for _ in range(MAX_VALUES + 1))


def _check_references(path: Path, part: Mapping[str, Any], root: Mapping[str, Any], report: ManifestReport) -> None:
    for keyword in _REFERENCES:
        target = part.get(keyword)
        if not isinstance(target, str):
            continue  # another type is for the meta-schema to refuse
        where = f"`{dotted(*path, keyword)}`"
        if not target.startswith("#"):
            words = f"{where} refers to {target[:100]!r}, outside this schema"
            report.add("manifest.outside_reference", words, _OUTSIDE_HINT, *path, keyword)
        elif not _resolves(target, root) and not report.is_partly_unread(path[0]):
            words = f"{where} refers to {target[:100]!r}, which is not there"
            report.add("manifest.broken_reference", words, _OUTSIDE_HINT, *path, keyword)


def _resolves(target: str, root: Mapping[str, Any]) -> bool:
    if not target.startswith("#/"):
        return True  # the schema itself, or an anchor
    value: Any = root
    for step in target[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif (
            isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 10 and int(name) < len(value)
        ):
            value = value[int(name)]
        else:
            return False
    return True
