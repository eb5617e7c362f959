"""`mixpeek infer`: ask a deployed plugin once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mixpeek.cli.session import Session, in_namespace
from mixpeek.errors import InvalidRequest


@in_namespace
def infer(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(help="Plugin's name, plugin ID, or feature URI (`mixpeek://…`).")],
    inputs: Annotated[str, typer.Argument(help="JSON object, `@FILE` that holds one, or `-` for stdin.")],
    parameters: Annotated[
        str | None, typer.Option("--parameters", help="JSON object, `@FILE` or `-`.", show_default=False)
    ] = None,
) -> None:
    """Ask a deployed plugin once and print its output as JSON."""
    output = session.output
    given = _object_from("INPUTS", inputs)
    settings = None if parameters is None else _object_from("--parameters", parameters)
    target = {"feature_uri": name} if name.startswith("mixpeek://") else {"inference_name": name}
    answer = session.client.inference.ask(inputs=given, parameters=settings, **target)
    output.document(answer)
    output.show(json.dumps(answer["output"], ensure_ascii=False, indent=2))
    output.say(f"answered by {answer['inference_name']}, code {str(answer['code_hash'])[:12]}")


def _object_from(name: str, text: str) -> dict[str, Any]:
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
