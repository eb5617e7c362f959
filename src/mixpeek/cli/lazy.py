"""Command groups that import a command when it is run or asked for help, and until then know only what it is called.

Importing all of them took three quarters of `mixpeek --help`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup


class Entry(NamedTuple):
    """A command or group that is not imported yet: where it is, and the first line of its help."""

    module: str
    attribute: str
    help: str


class _Commands(MutableMapping[str, Any]):
    """The commands of a group by name, each made from its entry when it is first looked at."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _made(name, self._entries[name])
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError("Commands are not taken away")

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class LazyGroup(TyperGroup):
    """A group of commands that are imported on demand; `entries` is what a subclass has of its own."""

    entries: Mapping[str, Entry] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands(self.entries)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as the base class has it
        """Write the commands with the first lines of their help, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.entries.items()])


def lazy_group(entries: Mapping[str, Entry]) -> type[LazyGroup]:
    """Return the class of a group with these commands, in this order."""
    return type("LazyGroup", (LazyGroup,), {"entries": entries})


def plain_app(**settings: Any) -> typer.Typer:
    """Return a typer application whose help is plain text: the library that colours it takes 0.2 s to import."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True, **settings)


def _made(name: str, entry: Entry) -> Any:
    target = getattr(import_module(entry.module), entry.attribute)
    if isinstance(target, typer.Typer):
        target.rich_markup_mode = None
        command: Any = typer.main.get_group(target)
    else:
        app = plain_app()
        app.command(name)(target)
        command = typer.main.get_command(app)
    command.name = name
    return command
