"""`mixpeek plugin`: from a new folder to a published, deployed extractor."""

from __future__ import annotations

import typer

from mixpeek.cli.plugin.init import init
from mixpeek.cli.plugin.listing import list_plugins
from mixpeek.cli.plugin.publish import publish
from mixpeek.cli.plugin.test import test

app = typer.Typer(help="Create, test, publish and list plugins.", no_args_is_help=True)
app.command("init")(init)
app.command("test")(test)
app.command("publish")(publish)
app.command("list")(list_plugins)
