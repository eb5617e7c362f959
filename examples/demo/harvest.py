"""Reads the docstrings of the running interpreter's standard library: modules, classes, functions and methods.

Importing every module has side effects, so `harvest` does it in a child process, which runs this file as a script.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeGuard

Kind = Literal["module", "class", "function", "method"]

# Tests, toys, programs, and families of modules whose hundreds of entries say nearly the same.
SKIPPED = frozenset(
    {"antigravity", "this", "test", "tests", "idlelib", "turtledemo", "lib2to3", "ensurepip", "encodings", "distutils",
     "tkinter", "turtle", "pydoc_data"}
)  # fmt: skip
MIN_WORDS = 3
MAX_TEXT_CHARS = 400
CHILD_TIMEOUT_S = 120


@dataclass(frozen=True)
class Entry:
    """One thing of the library, and the first paragraphs of what its docstring says, up to 400 characters."""

    name: str
    kind: Kind
    text: str


class HarvestFailed(RuntimeError):
    """The child process that reads the library did not end well; the message holds the end of what it said."""


def harvest(limit: int) -> list[Entry]:
    """Return up to `limit` entries: modules first, then classes, functions and methods, each by name."""
    with tempfile.TemporaryDirectory(prefix="mixpeek-harvest-") as folder:
        into = Path(folder) / "entries.jsonl"
        child = subprocess.run(
            # Isolated: neither the current folder nor installed packages can pose as a part of the library.
            [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(into)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=CHILD_TIMEOUT_S,
            check=False,
        )
        if child.returncode != 0:
            said = child.stdout.decode(errors="replace").strip()[-1000:]
            raise HarvestFailed(f"Reading the standard library failed with status {child.returncode}: {said}")
        entries = [Entry(**json.loads(line)) for line in into.read_text(encoding="utf-8").splitlines()]
    return entries[:limit]


def entries_of_library() -> Iterator[Entry]:
    """Yield every entry once; of several with one docstring, only the first."""
    order: dict[Kind, int] = {"module": 0, "class": 1, "function": 2, "method": 3}
    seen: set[str] = set()
    for entry in sorted(_everything(), key=lambda found: (order[found.kind], found.name)):
        if entry.text not in seen:
            seen.add(entry.text)
            yield entry


def text_from_docstring(docstring: Any) -> str | None:
    """Return the first paragraphs on one line, or None where there is next to nothing to read."""
    if not isinstance(docstring, str):
        return None
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(docstring).split("\n\n")]
    text = " ".join(part for part in paragraphs if part)
    if len(text.split()) < MIN_WORDS:
        return None
    if len(text) > MAX_TEXT_CHARS:
        text = text[:MAX_TEXT_CHARS].rsplit(" ", 1)[0] + " …"
    # A lone surrogate cannot be sent as UTF-8.
    return text.encode(errors="replace").decode()


def _everything() -> Iterator[Entry]:
    seen: set[int] = set()
    for module in _modules():
        yield from _entry(module.__name__, "module", module.__doc__)
        for name, value in _public(module):
            # A thing that several modules export belongs to the first.
            if id(value) in seen:
                continue
            seen.add(id(value))
            if inspect.isclass(value):
                yield from _entry(f"{module.__name__}.{name}", "class", vars(value).get("__doc__"))
                yield from _methods(f"{module.__name__}.{name}", value)
            else:
                yield from _entry(f"{module.__name__}.{name}", "function", value.__doc__)


def _modules() -> Iterator[ModuleType]:
    names = [name for name in sorted(sys.stdlib_module_names) if _is_wanted(name)]
    while names:
        name = names.pop(0)
        try:
            module = importlib.import_module(name)
        except Exception as error:  # another platform's module, or one whose C library this machine lacks
            print(f"left out {name}: {error}", file=sys.stderr)
            continue
        found = pkgutil.iter_modules(getattr(module, "__path__", []))
        names += [f"{name}.{inner.name}" for inner in found if _is_wanted(inner.name)]
        yield module


def _is_wanted(name: str) -> bool:
    return not name.startswith("_") and name not in SKIPPED


def _public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the classes and functions a module offers: what `__all__` lists, else what it defines."""
    listed = getattr(module, "__all__", None)
    for name in listed or [name for name in vars(module) if not name.startswith("_")]:
        value = getattr(module, name, None)
        is_own = listed or inspect.isbuiltin(value) or getattr(value, "__module__", None) == module.__name__
        if is_own and (inspect.isclass(value) or _is_function(value)):
            yield name, value


def _methods(class_name: str, value: type) -> Iterator[Entry]:
    for name, member in vars(value).items():
        function = member.__func__ if isinstance(member, staticmethod | classmethod) else member
        if not name.startswith("_") and _is_function(function):
            yield from _entry(f"{class_name}.{name}", "method", function.__doc__)


def _is_function(value: object) -> TypeGuard[Any]:
    return inspect.isroutine(value)


def _entry(name: str, kind: Kind, docstring: object) -> Iterable[Entry]:
    text = text_from_docstring(docstring)
    return [] if text is None else [Entry(name, kind, text)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # deprecated modules are part of the library as well
    with Path(sys.argv[1]).open("w", encoding="utf-8") as file:
        for one in entries_of_library():
            file.write(json.dumps(asdict(one)) + "\n")
