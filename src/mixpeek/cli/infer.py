"""`mixpeek infer`: ask a deployed plugin once."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mixpeek.cli.session import Session, in_namespace
from mixpeek.cli.values import object_from


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
    """Ask a deployed plugin once and print its output as JSON.

    Example: `mixpeek infer my_extractor '{"text": "a lazy dog"}'`
    """
    output = session.output
    given = object_from("INPUTS", inputs)
    settings = None if parameters is None else object_from("--parameters", parameters)
    target = {"feature_uri": name} if name.startswith("mixpeek://") else {"inference_name": name}
    answer = session.client.inference.ask(inputs=given, parameters=settings, **target)
    output.document(answer)
    output.show(json.dumps(answer["output"], ensure_ascii=False, indent=2))
    output.say(f"answered by {answer['inference_name']}, code {str(answer['code_hash'])[:12]}")
