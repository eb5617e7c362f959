"""`{{INPUT.query}}` and its kin in stage parameters, filled in when a retriever is executed.

Roots, in capitals or not: INPUT (also INPUTS), CONTEXT, STAGE, and where a stage works document by document DOC; SECRET
where it calls out. A text that is one reference and nothing else keeps the type of what it refers to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    import jinja2

REFERENCE = re.compile(r"^\s*\{\{\s*(\w+)((?:\.\w+)+)\s*\}\}\s*$")
MENTION = re.compile(r"\{\{[^{}]*?\b(\w+)\.(\w+)")
# What is written so is not filled in, though it was surely meant to be.
SINGLE_BRACES = re.compile(r"(?<!\{)\{\s*(?:INPUTS?|inputs?|DOC|doc)\.\w+\s*\}(?!\})")
ROOTS = {
    "input": "input", "inputs": "input", "doc": "doc", "context": "context", "stage": "stage",
    "secret": "secret", "secrets": "secret",
}  # fmt: skip
_MOST_CHARACTERS = 1_000_000


class ReferenceMissing(InvalidRequest):
    """A template names what was not given."""

    code = "retriever.reference_missing"


def render(value: Any, inputs: Mapping[str, Any], **roots: Mapping[str, Any]) -> Any:
    """Return `value` with every template in it filled in.

    Args: roots: `doc`, `context`, `stage`, `secret`, where there are such.
    Raises: ReferenceMissing: a template names what was not given. InvalidRequest: it is not a valid template.
    """
    return _render(value, {"input": inputs, **roots})


def _render(value: Any, roots: Mapping[str, Mapping[str, Any]]) -> Any:
    if isinstance(value, dict):
        return {key: _render(item, roots) for key, item in value.items()}
    if isinstance(value, list):
        return [_render(item, roots) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    reference = REFERENCE.match(value)
    if reference is not None and reference[1].lower() in ROOTS:
        return _looked_up(reference[1], reference[2][1:].split("."), roots)
    return render_text(value, roots)


def render_text(text: str, roots: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a text with its templates filled in, as Jinja2 reads them."""
    import jinja2

    from mixpeek.retrieval import bounded_templates

    named = {
        spelling: roots[root]
        for name, root in ROOTS.items()
        if root in roots
        for spelling in (name, name.upper(), name.capitalize())
    }
    try:
        return bounded_templates.render(_compiled(text), named)
    except jinja2.UndefinedError as error:
        raise ReferenceMissing(
            f"{_shown(text)} names what was not given: {error.message}", hint="Send it under `inputs`"
        ) from error
    except bounded_templates.TooMuchWork as error:
        raise InvalidRequest(
            f"{_shown(text)} is too much for a template: {error}", hint="Let a stage filter and cut before it"
        ) from error
    except RecursionError as error:
        raise InvalidRequest(f"{_shown(text)} is too much for a template: it goes too deep") from error
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise InvalidRequest(f"{_shown(text)} is not a valid template: {error}") from error


def check_template(text: str) -> None:
    """Raise InvalidRequest for a text that Jinja2 cannot read."""
    import jinja2

    try:
        _compiled(text)
    except (jinja2.TemplateError, RecursionError) as error:
        raise InvalidRequest(f"{_shown(text)} is not a valid template: {error}") from error


def texts_of(value: Any) -> Iterator[str]:
    """Yield every text within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)


def inputs_named(value: Any) -> set[str]:
    """Return the inputs that templates and dynamic values within a JSON value name."""
    return names_of("input", value) | {path.partition(".")[2].partition(".")[0] for path in _dynamic_paths(value)}


def names_input(value: Any) -> bool:
    """Tell whether a JSON value holds a template, or a dynamic value, so that it depends on what is given."""
    return any("{{" in text for text in texts_of(value)) or next(_dynamic_paths(value), None) is not None


def _dynamic_paths(value: Any) -> Iterator[str]:
    """Yield what `{"type": "dynamic", "field": "inputs.x"}` names, wherever such stand for a value of a filter."""
    if isinstance(value, dict):
        if value.get("type") == "dynamic" and isinstance(value.get("field"), str):
            yield value["field"]
        for item in value.values():
            yield from _dynamic_paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from _dynamic_paths(item)


def names_of(root: str, value: Any) -> set[str]:
    """Return what templates within a JSON value name of one root."""
    mentions = (found for text in texts_of(value) if "{{" in text for found in MENTION.findall(text))
    return {name for written, name in mentions if ROOTS.get(written.lower()) == root}


def _looked_up(root: str, path: list[str], roots: Mapping[str, Mapping[str, Any]]) -> Any:
    known = roots.get(ROOTS[root.lower()])
    if known is None:
        raise InvalidRequest(
            f"{root} has no meaning in this parameter", hint=f"Here there are: {', '.join(sorted(roots)).upper()}"
        )
    value: Any = known
    for step in path:
        if not isinstance(value, Mapping) or step not in value:
            raise _missing(root, step, known)
        value = value[step]
    return value


def _missing(root: str, name: str, known: Mapping[str, Any]) -> ReferenceMissing:
    if ROOTS[root.lower()] == "input":
        given = ", ".join(sorted(map(str, known))) or "none"
        return ReferenceMissing(
            f"Input {name!r} was not given", hint=f"Send it under `inputs`; given: {given}", input=name
        )
    return ReferenceMissing(f"{root} has no {name!r}", hint="Write {{ … | default('') }} where it may be missing")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 200 else f"{text[:200]}…")


@cache
def _environment() -> jinja2.Environment:
    from mixpeek.retrieval import bounded_templates

    return bounded_templates.environment()


@cache
def _compiled_of(text: str) -> jinja2.Template:
    return _environment().from_string(text)


def _compiled(text: str) -> jinja2.Template:
    if len(text) > _MOST_CHARACTERS:
        raise InvalidRequest("A template has a million characters at most")
    # Only retrievers' own texts come here, not what their inputs hold; still their number has no bound.
    if _compiled_of.cache_info().currsize > 500:
        _compiled_of.cache_clear()
    return _compiled_of(text)
