"""`mixpeek plugin init`: a new plugin that works from the first minute."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from mixpeek.cli.options import Json
from mixpeek.cli.output import output_for
from mixpeek.scaffolds import DEFAULT_DESCRIPTION, TEMPLATES, check_name, render


def init(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Argument(help="Name of the plugin, as in my_extractor.")],
    category: Annotated[
        str,
        typer.Option(
            "--category",
            "-c",
            help=f"What it works on, and so which template it starts from: {', '.join(TEMPLATES)}.",
        ),
    ] = "text",
    description: Annotated[str, typer.Option("--description", "-d", help="What it does.")] = DEFAULT_DESCRIPTION,
    author: Annotated[
        str | None, typer.Option("--author", "-a", help="Your name; default the one git knows.", show_default=False)
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder in which the plugin's folder is made.")
    ] = Path(),
    json: Json = False,
) -> None:
    """Create a new plugin from a template."""
    out = output_for(context, json)
    check_name(name)
    folder = output / name
    files = render(category, name, description, author or _author(), folder)

    names = [path.relative_to(folder).as_posix() for path in files]
    out.document({"success": True, "name": name, "category": category, "path": str(folder), "files": names})
    out.show(f"Created {folder}")
    for file in names:
        out.say(f"  {file}", "dim")
    out.say("\nNext")
    out.say(f"  cd {folder}")
    out.say("  mixpeek plugin test --sample-data samples.json")
    out.say("  mixpeek plugin publish")


def _author() -> str:
    git = shutil.which("git")
    if git is not None:
        asked = subprocess.run([git, "config", "user.name"], capture_output=True, text=True, check=False)
        if asked.stdout.strip():
            return asked.stdout.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user, as in a container with an arbitrary id
        return "Unknown"
