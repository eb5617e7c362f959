"""What every command that asks a server has in common: the options that name the server, a client, an output."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, get_type_hints

import typer

from mixpeek.cli.options import ApiKey, BaseUrl, Json, Namespace, connect, connect_to_namespace
from mixpeek.cli.output import Output, output_for

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek

Own = ParamSpec("Own")


@dataclass(frozen=True)
class Session:
    """One run of a command: its client, closed when the command ends, its output, and what no option took."""

    client: Mixpeek
    output: Output
    arguments: list[str]


_KEY_HINT = (
    "Set MIXPEEK_API_KEY, or pass `--api-key`, with a key of this server; `mixpeek serve` keeps its admin key in"
    " `admin.key` in its data dir"
)
_SERVER = {"api_key": ApiKey, "base_url": BaseUrl, "json": Json}


def on_server(command: Callable[Concatenate[Session, Own], None]) -> Callable[..., None]:
    """Give a command `--api-key`, `--base-url` and `--json` behind its own options, and its session for them."""
    return _with_options(command, connect, _SERVER)


def in_namespace(command: Callable[Concatenate[Session, Own], None]) -> Callable[..., None]:
    """Do as `on_server` for a command about one namespace, which `--namespace` or the environment must name."""
    return _with_options(command, connect_to_namespace, {"namespace": Namespace, **_SERVER})


def _with_options(
    command: Callable[..., None], connected: Callable[..., Mixpeek], added: dict[str, Any]
) -> Callable[..., None]:
    @functools.wraps(command)
    def run(context: typer.Context, **given: Any) -> None:
        shared = {name: given.pop(name) for name in added}
        output = output_for(context, shared.pop("json"))
        with connected(context, **shared) as client, _words_for_a_shell():
            command(Session(client, output, context.args), **given)

    # typer reads a command's options from its signature, evaluated: those that are added have no place in its module.
    hints = get_type_hints(command, include_extras=True)
    _, *own = inspect.signature(command).parameters.values()
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *(each.replace(kind=kind, annotation=hints[each.name]) for each in own),
        *(
            inspect.Parameter(name, kind, annotation=hint, default=False if name == "json" else None)
            for name, hint in added.items()
        ),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__doc__ = _flowing(command.__doc__)
    return run


@contextlib.contextmanager
def _words_for_a_shell() -> Iterator[None]:
    """Say where a key belongs on a command line; the server's own hint is about headers."""
    from mixpeek.client import ApiError  # loaded already, with the client

    try:
        yield
    except ApiError as error:
        if error.status == HTTPStatus.UNAUTHORIZED:
            error.hint = _KEY_HINT
        raise


def _flowing(words: str | None) -> str | None:
    """Return a docstring with each of its paragraphs on one line, for a terminal to break where it ends."""
    if words is None:
        return None
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(words).split("\n\n"))
