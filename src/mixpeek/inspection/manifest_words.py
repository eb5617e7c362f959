"""Pydantic's errors about a manifest, in an author's words."""

from __future__ import annotations

from typing import Any

from pydantic_core import ErrorDetails

from mixpeek.inspection.manifest_report import ManifestReport, dotted

_HINTS = {
    "feature_extractor_name": "Use 3 to 64 letters, digits and underscores, starting with a letter",
    "version": 'Write three numbers, as in "1.0.0"',
    "embedding_dim": "Write the length of the vector, 1 to 65535",
    "distance_metric": "Use cosine, euclid or dot",
    "feature_name": "Use letters, digits, dots, dashes and underscores, starting with a letter",
    "parity": "Use warn or strict",
    "models": 'Write a list such as ["org/name", "org/name@revision", "namespace://name_1_0_0"]',
    "resource_type": "Use cpu, gpu or api",
    "dependencies": 'List package names with version ranges, as in ["tokenizers>=0.20"]',
    "input_mappings": 'Write column names and the properties they read, as in {"text": "content"}',
    "supported_input_types": 'List what it reads, as in ["text"]',
    "features": 'List the outputs, as in [{"feature_name": ..., "feature_type": "embedding", "embedding_dim": ...}]',
}
_MAX_SHOWN = 100
# pydantic's names for "of another type", whose texts speak of Python's types and not of what was given.
_OTHER_TYPE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text in quotes",
    "list_type": "a list",
    "dict_type": "a dict",
    "model_type": "a dict",
    "model_attributes_type": "a dict",
}


def add_error(details: ErrorDetails, report: ManifestReport) -> None:
    """Add the finding for one of pydantic's errors."""
    # A union's branches and a dict's keys are pydantic's own steps, not the author's.
    path = tuple(part for part in details["loc"] if part not in _STEPS)
    names = [part for part in path if isinstance(part, str)]
    last = names[-1] if names else ""
    hint = _HINTS.get(last, "Correct the value in manifest.py")
    kind, where, given = details["type"], dotted(*path), details["input"]
    if kind == "value_error" and path == ("features",):
        return  # names that are there twice: said at each of their places by `manifest_contents`
    if kind == "missing":
        hint = f"Add it. {hint}" if last in _HINTS else "Add it to manifest.py"
        report.add("manifest.missing_key", f"`{where}` is missing", hint, *path)
    elif kind == "string_pattern_mismatch":
        report.add("manifest.invalid_name", f"`{where}` cannot be {_shown(given)}", hint, *path)
    elif kind in _OTHER_TYPE:
        report.add("manifest.invalid_value", f"`{where}` must be {_OTHER_TYPE[kind]}, not {_shown(given)}", hint, *path)
    else:
        text = details["msg"].removeprefix("Value error, ")
        hint = _HINTS["embedding_dim"] if "embedding_dim" in text else hint
        report.add("manifest.invalid_value", f"`{where}`: {text}", hint, *path)


_STEPS = frozenset({"[key]", "constrained-int", "constrained-str", "int", "str"})


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"a {type(value).__name__}"
    text = repr(value if not isinstance(value, str) else value[:_MAX_SHOWN])
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
