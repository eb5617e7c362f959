"""`mixpeek secret`: keep values for plugins on a server; a value is read from anywhere but the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixpeek.cli.output import Output
from mixpeek.cli.session import Session, on_server
from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    from mixpeek.client import Response

app = typer.Typer(help="Keep secrets for plugins, and say which namespaces may read them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the secret.")]
Namespaces = Annotated[list[str], typer.Argument(metavar="NAMESPACE...", help="IDs or names of namespaces.")]
FromFile = Annotated[
    str | None,
    typer.Option("--from-file", metavar="FILE", help="Read the value from a file, or from stdin if it is `-`."),
]
FromEnv = Annotated[
    str | None, typer.Option("--from-env", metavar="NAME", help="Take the value of an environment variable.")
]
# A value on the command line is taken only to be refused: as an unexpected argument it would be printed.
_WITH_MORE = {"allow_extra_args": True}


@app.command("create", context_settings=_WITH_MORE)
@on_server
def create(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(help="Name of the new secret.")],
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", "-n", help="Who may read it; may be repeated; default every namespace."),
    ] = None,
    ungranted: Annotated[bool, typer.Option("--ungranted", help="No namespace may read it yet.")] = False,
    from_file: FromFile = None,
    from_env: FromEnv = None,
) -> None:
    """Keep a value under a new name; it is asked for unless it comes from a file or a variable.

    Example: `mixpeek secret create WEATHER_KEY --from-file key.txt --namespace demo`
    """
    client, output = session.client, session.output
    if namespace and ungranted:
        raise InvalidRequest("`--ungranted` and `--namespace` exclude each other", hint="Use one of them")
    text = _value(session.arguments, from_file, from_env)
    granted = [] if ungranted else namespace or None
    made = client.secrets.create(name, text, namespaces=granted)
    _report(output, made, f"{name} is kept")


@app.command("list")
@on_server
def list_secrets(session: Session) -> None:
    """List the names of the secrets this key can see.

    Example: `mixpeek secret list`
    """
    client, output = session.client, session.output
    found = client.secrets.list()
    output.document(found)
    output.table(
        ("NAME",),
        [(name,) for name in found["secrets"]],
        empty="No secrets yet; keep one with `mixpeek secret create NAME`",
    )


@app.command("show")
@on_server
def show(session: Session, *, name: Name) -> None:
    """Show who may read a secret and when it was set; its value is never shown.

    Example: `mixpeek secret show WEATHER_KEY`
    """
    client, output = session.client, session.output
    found = client.secrets.get(name)
    output.document(found)
    output.table(
        ("NAME", "NAMESPACES", "CREATED", "VALUE SET"),
        [(found["secret_name"], _readers(found), found["created_at"], found["value_set_at"])],
        empty="",
    )


@app.command("update", context_settings=_WITH_MORE)
@on_server
def update(
    session: Session,
    *,
    name: Name,
    from_file: FromFile = None,
    from_env: FromEnv = None,
) -> None:
    """Replace the value of a secret; the one before is gone.

    Example: `mixpeek secret update WEATHER_KEY --from-env NEW_KEY`
    """
    client, output = session.client, session.output
    text = _value(session.arguments, from_file, from_env)
    changed = client.secrets.update(name, text)
    _report(output, changed, f"{name} has a new value")


@app.command("grant")
@on_server
def grant(session: Session, *, name: Name, namespaces: Namespaces) -> None:
    """Let namespaces read a secret.

    Example: `mixpeek secret grant WEATHER_KEY demo`
    """
    client, output = session.client, session.output
    changed = [client.secrets.grant(name, each) for each in namespaces][-1]
    _report(output, changed, f"{name} is granted")


@app.command("revoke")
@on_server
def revoke(session: Session, *, name: Name, namespaces: Namespaces) -> None:
    """Take a secret from namespaces that it was granted to.

    Example: `mixpeek secret revoke WEATHER_KEY demo`
    """
    client, output = session.client, session.output
    changed = [client.secrets.revoke(name, each) for each in namespaces][-1]
    _report(output, changed, f"{name} is revoked")


@app.command("delete")
@on_server
def delete(session: Session, *, name: Name) -> None:
    """Delete a secret; whatever reads it fails from now on.

    Example: `mixpeek secret delete WEATHER_KEY`
    """
    client, output = session.client, session.output
    deleted = client.secrets.delete(name)
    output.document(deleted)
    output.show(f"{name} is deleted")


@app.command("rotate-key")
@on_server
def rotate_key(session: Session) -> None:
    """Encrypt every secret with a new key, made by the server or the first of its MIXPEEK_SECRETS_KEY.

    Example: `mixpeek secret rotate-key`
    """
    client, output = session.client, session.output
    rotation = client.secrets.rotate_key()
    output.document(rotation)
    output.show(str(rotation["message"]))


def _report(output: Output, secret: Response, what: str) -> None:
    output.document(secret)
    output.show(f"{what}; it can be read in {_readers(secret)}")


def _readers(secret: Response) -> str:
    namespaces = secret["namespaces"]
    return "every namespace" if namespaces is None else ", ".join(namespaces) or "no namespace"


def _value(on_command_line: list[str], from_file: str | None, from_env: str | None) -> str:
    """Return the value from where it is given, without one line break at its end; ask on a terminal otherwise."""
    if on_command_line:
        raise InvalidRequest(
            "A value is not taken from the command line: the shell's history and every process would see it",
            hint="Leave it out to be asked for it, or use `--from-file` or `--from-env`",
        )
    if from_file is not None and from_env is not None:
        raise InvalidRequest("`--from-file` and `--from-env` exclude each other", hint="Use one of them")
    if from_env is not None:
        text = _from_variable(from_env)
    elif from_file is not None:
        text = _from_file(from_file)
    else:
        text = _asked_for()
    if not text:
        raise InvalidRequest("The value is empty", hint="A secret has at least one character")
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of a variable or of a terminal that are no text
        raise _not_text("The value") from None
    return text


def _from_variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise InvalidRequest(f"There is no environment variable {name!r}", hint="Set and export it first") from None


def _from_file(name: str) -> str:
    try:
        text = (sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()).decode()
    except OSError as error:
        raise InvalidRequest(f"{name} cannot be read: {error.strerror}", hint="Name a file that exists") from None
    except UnicodeDecodeError:
        raise _not_text(name) from None
    return text.removesuffix("\n").removesuffix("\r")


def _not_text(what: str) -> InvalidRequest:
    return InvalidRequest(f"{what} is not text in UTF-8", hint="Encode the value first, as with base64")


def _asked_for() -> str:
    if not sys.stdin.isatty():
        raise InvalidRequest(
            "There is no terminal to ask for the value", hint="Pass `--from-file -` to read it from stdin"
        )
    answer: str = typer.prompt("Value", hide_input=True, confirmation_prompt=True, err=True)
    return answer
