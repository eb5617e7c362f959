"""Names of Python code as Markdown: signature, then the docstring, whose sections become lists."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from scripts.reference.markdown import code

# `Args:`, `Returns: x`, `Raises: A: when. B: when.`
SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Source):\s*(.*)$")
ARGUMENT = re.compile(r"^(\w+): (.*)$")


def is_public(name: str) -> bool:
    """Tell whether a name is for others."""
    return not name.startswith("_")


def described(thing: Any) -> str:
    """Return a thing's own docstring, "" where it has none; one inherited from Python itself is none."""
    return inspect.cleandoc(thing.__doc__) if isinstance(getattr(thing, "__doc__", None), str) else ""


def signature_of(name: str, thing: Any) -> str:
    """Return how a function or a class is called, without `self`, one parameter a line where it is long."""
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return name
    parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    short = signature.replace(parameters=parameters)
    returned = "" if inspect.isclass(thing) or short.return_annotation is inspect.Signature.empty else " -> "
    after = f"{returned}{_plain(short.return_annotation)}" if returned else ""
    head = "async " if inspect.iscoroutinefunction(thing) else ""
    line = f"{head}{name}({', '.join(_parts(parameters))}){after}"
    if len(line) <= 96:
        return line
    return "\n".join([f"{head}{name}(", *(f"    {part}," for part in _parts(parameters)), f"){after}"])


def members_of(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties a class itself defines, in their order."""
    for name, member in vars(cls).items():
        plain = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
        if is_public(name) and (inspect.isfunction(plain) or isinstance(plain, property)):
            yield name, plain


def words_of(thing: Any) -> list[str]:
    """Return a docstring as Markdown lines: paragraphs as they are, sections as a bold word and a list."""
    lines: list[str] = []
    section = ""
    for line in described(thing).splitlines():
        found = SECTION.match(line)
        if found:
            section = found[1]
            if lines and lines[-1]:
                lines.append("")
            lines += [f"**{section}**" + (f": {found[2]}" if found[2] and section != "Args" else ""), ""]
            if section == "Args" and found[2]:
                lines.append(_item(found[2]))
        elif section and line.startswith(" "):
            text = line.strip()
            if section == "Args" and ARGUMENT.match(text):
                lines.append(_item(text))
            else:
                _go_on(lines, text)
        else:
            section = section if line.startswith(" ") or not line else ""
            lines.append(line)
    return [*lines, ""]


def _item(text: str) -> str:
    found = ARGUMENT.match(text)
    return f"- {code(found[1])}: {found[2]}" if found else f"- {text}"


def _go_on(lines: list[str], text: str) -> None:
    """Put a line behind the one it goes on from."""
    while lines and not lines[-1]:
        lines.pop()
    lines[-1] += f" {text}"


def _parts(parameters: list[inspect.Parameter]) -> list[str]:
    parts: list[str] = []
    starred = False
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        starred = starred or parameter.kind is inspect.Parameter.VAR_POSITIONAL
        parts.append(_part(parameter))
    return parts


def _part(parameter: inspect.Parameter) -> str:
    kinds: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    stars = kinds.get(parameter.kind, "")
    empty = inspect.Parameter.empty
    kind = "" if parameter.annotation is empty else f": {_plain(parameter.annotation)}"
    default = "" if parameter.default is empty else f"{' = ' if kind else '='}{_shown(parameter.default)}"
    return f"{stars}{parameter.name}{kind}{default}"


def _shown(default: Any) -> str:
    if inspect.isfunction(default):
        return "…"  # its address would differ from run to run
    return str(default) if isinstance(default, Enum) else repr(default)


def _plain(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
