"""cli.md: every command with its arguments and options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from scripts.reference.markdown import anchor, code, heading, table, written

from mixpeek.cli.app import app

WORDS = """Exit codes: 0 done, 1 findings or failed, 2 usage, 3 server unreachable. With `--json` stdout holds one JSON
document and nothing else. `--api-key`, `--base-url` and `--json` may also stand before the command."""


def page() -> str:
    """Return cli.md."""
    # typer brings a click of its own, which has no types to name.
    root: Any = typer.main.get_command(app)
    commands = list(_commands(root, "mixpeek"))
    contents = [(f"[`{name}`]({anchor(name)})", _first_line(command)) for name, command in commands]
    lines = [*heading("Commands", WORDS), *table(("Command", "What it does"), contents)]
    for name, command in commands:
        lines += _section(name, command)
    return written(lines)


def _commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for child, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{name} {child}")
        else:
            yield f"{name} {child}", command


def _section(name: str, command: Any) -> list[str]:
    context = command.context_class(command, info_name=name)
    words = (command.help or "").strip()
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    rows = [record for param in command.params if (record := param.get_help_record(context))]
    return [
        f"## {name}",
        "",
        *(line.strip() for line in words.splitlines()),
        "",
        "```",
        usage,
        "```",
        "",
        *table(("", ""), [(code(given.strip()), meaning) for given, meaning in rows]),
    ]


def _first_line(command: Any) -> str:
    return (command.help or "").strip().partition("\n")[0]
