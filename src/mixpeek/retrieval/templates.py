"""`{{INPUT.query}}` and its kin in stage parameters, filled in from the inputs of an execution."""

from __future__ import annotations

import re
from typing import Any

from mixpeek.errors import InvalidRequest

# A parameter that is one reference and nothing else keeps the type of what it refers to.
REFERENCE = re.compile(r"^\s*\{\{\s*(?:INPUT|INPUTS|input|inputs)\.(\w+)\s*\}\}\s*$")


def render(value: Any, inputs: dict[str, Any]) -> Any:
    """Return `value` with every template in it filled in.

    Raises: InvalidRequest: a template names an input that was not given, or is not a valid template.
    """
    if isinstance(value, dict):
        return {key: render(item, inputs) for key, item in value.items()}
    if isinstance(value, list):
        return [render(item, inputs) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    reference = REFERENCE.match(value)
    if reference is not None:
        if reference[1] not in inputs:
            raise _missing(reference[1], inputs)
        return inputs[reference[1]]
    return _render_text(value, inputs)


def _render_text(text: str, inputs: dict[str, Any]) -> str:
    import jinja2
    import jinja2.sandbox

    environment = jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined)
    roots = dict.fromkeys(("INPUT", "INPUTS", "input", "inputs"), inputs)
    try:
        return environment.from_string(text).render(roots)
    except jinja2.UndefinedError as error:
        raise InvalidRequest(
            f"{text!r} names an input that was not given: {error.message}", hint="Send it under `inputs`"
        ) from error
    except jinja2.TemplateError as error:
        raise InvalidRequest(f"{text!r} is not a valid template: {error.message}") from error


def _missing(name: str, inputs: dict[str, Any]) -> InvalidRequest:
    given = ", ".join(sorted(inputs)) or "none"
    return InvalidRequest(f"Input {name!r} was not given", hint=f"Send it under `inputs`; given: {given}", input=name)
