"""settings.md: every setting of the server and of the command."""

from __future__ import annotations

from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from scripts.reference.markdown import code, heading, table, written

from mixpeek.config import CLIENT_VARIABLES, Settings

WORDS = (
    "`mixpeek serve` reads its settings from environment variables, and `mixpeek config` shows what they are here. "
    "A variable that is misspelt is named in the server's log."
)
# Each of the client's variables; a new one has to be described here.
CLIENT = {
    "MIXPEEK_API_KEY": "API key that is sent to the server.",
    "MIXPEEK_NAMESPACE": "Namespace, by id or name, where none is given.",
    "MIXPEEK_BASE_URL": "Address of the server, with or without `/v1`; default `http://127.0.0.1:8000`.",
    "MIXPEEK_API_URL": "The same as `MIXPEEK_BASE_URL`, which wins.",
}


def page() -> str:
    """Return settings.md."""
    rows = [
        (code(f"MIXPEEK_{name.upper()}"), _values(field), _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return written(
        [
            *heading("Settings", WORDS),
            *table(("Variable", "Values", "Default", "What it is"), rows),
            "## Of the command and the SDK",
            "",
            *table(("Variable", "What it is"), [(code(name), CLIENT[name]) for name in sorted(CLIENT_VARIABLES)]),
        ]
    )


def _values(field: FieldInfo) -> str:
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)]
    if get_origin(field.annotation) is Literal:
        return ", ".join(code(value) for value in kinds)
    words = {
        **{"int": "whole number", "float": "number", "str": "text", "SecretStr": "text"},
        **{"Path": "path", "bool": "true or false"},
    }
    limits = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
        if hasattr(limit, name)
    ]
    return " ".join([words[kinds[0].__name__], *limits])


def _default(field: FieldInfo) -> str:
    if field.default is not PydanticUndefined:
        return code(field.default)
    return "number of CPUs"  # the one default that is counted
