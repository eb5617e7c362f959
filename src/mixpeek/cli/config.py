"""`mixpeek config`: every setting of the server, its value, and where that came from."""

from __future__ import annotations

import os

import typer

from mixpeek.cli.options import Json
from mixpeek.cli.output import output_for
from mixpeek.cli.serve import needs_server

# Shown as set or not, like every `SecretStr`; printing them would put them into logs and screenshots.
SECRET = {"bootstrap_api_key", "database_url"}


def config(context: typer.Context, *, json: Json = False) -> None:
    """Print the server's settings as `mixpeek serve` would read them here."""
    output = output_for(context, json)
    with needs_server():
        from pydantic import SecretStr

        from mixpeek.config import Settings, unknown_variables
    settings = Settings()
    rows = []
    for name, field in Settings.model_fields.items():
        variable = f"MIXPEEK_{name.upper()}"
        value = getattr(settings, name)
        shown = "(set)" if value and (name in SECRET or isinstance(value, SecretStr)) else value
        source = "environment" if variable in os.environ else "default"
        rows.append({"variable": variable, "value": shown, "source": source, "description": field.description})
    warnings = unknown_variables(dict(os.environ))
    output.document({"settings": rows, "warnings": warnings})
    columns = ("VARIABLE", "VALUE", "SOURCE", "WHAT IT IS")
    output.table(columns, [tuple(row.values()) for row in rows], empty="")
    for warning in warnings:
        output.say(f"warning: {warning}", "yellow")
