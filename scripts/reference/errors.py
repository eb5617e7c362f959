"""errors.md: every error class with its code, status, meaning and hint."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from scripts.reference.markdown import code, heading, table, written

import mixpeek
from mixpeek.client.errors import ApiError
from mixpeek.errors import MixpeekError

WORDS = """Every refusal is `{"success": false, "status", "error": {"type", "code", "message", "hint", "details"}}`;
`details.request_id` is also in the header `X-Request-Id` and in the server's log. Match on `code`: it never changes.
The command prints the same with `--json`. Where no hint is named here, each message brings its own."""
# Programs, not libraries: importing them would start something.
PROGRAMS = ("__main__", "mixpeek.server.", "mixpeek.db.migrations")


def page() -> str:
    """Return errors.md."""
    rows = [
        (code(kind.code), str(kind.status), code(kind.type), _meaning(kind), kind.hint or "", code(kind.__name__))
        for kind in sorted(_known(), key=lambda kind: (kind.code, kind.__name__))
    ]
    return written(
        [
            *heading("Errors", WORDS),
            *table(("Code", "Status", "Type", "Meaning", "Hint", "Class"), rows),
            "Two more codes have no class: `http.405` for a method that a path does not take, and `http.400` for a body"
            " that is no text in UTF-8 or no multipart form.",
        ]
    )


def _known() -> Iterator[type[MixpeekError]]:
    for module in pkgutil.walk_packages(mixpeek.__path__, "mixpeek."):
        if not any(program in module.name for program in PROGRAMS):
            importlib.import_module(module.name)
    seen: set[type[MixpeekError]] = set()
    waiting = [MixpeekError]
    while waiting:
        kind = waiting.pop()
        if kind not in seen:
            seen.add(kind)
            waiting += kind.__subclasses__()
    # Tests may have classes of their own; `ApiError` brings whatever code the server's answer has.
    yield from (kind for kind in seen if kind.__module__.startswith("mixpeek.") and kind is not ApiError)


def _meaning(kind: type[MixpeekError]) -> str:
    return (inspect.getdoc(kind) or "").splitlines()[0]
