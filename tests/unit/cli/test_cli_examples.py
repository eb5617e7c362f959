"""Every command's help has an example, and the example is a command line that the command takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from mixpeek.cli.app import app

# Their help is all there is to them.
WITHOUT = {"serve", "config", "plugin init", "plugin lint", "plugin test", "plugin publish"}


def commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    for child in group.list_commands(None):
        command = group.get_command(None, child)
        full = f"{name} {child}".strip()
        if hasattr(command, "list_commands"):
            yield from commands(command, full)
        elif not command.hidden:
            yield full, command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in WITHOUT])
def test_the_example_of_a_command_is_one_that_it_takes(name: str) -> None:
    examples = re.findall(r"`mixpeek (.+)`$", COMMANDS[name].help or "", re.MULTILINE)

    assert examples, f"the help of `mixpeek {name}` has no line with an example"
    for example in examples:
        words = shlex.split(re.split(r" [|>] ", example)[0])
        own = name.split()
        assert words[: len(own)] == own
        COMMANDS[name].make_context(name, words[len(own) :])
