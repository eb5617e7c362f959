"""`python -m scripts.sync_client [--check]`: make `client/sync` from `client/aio`, or name what is stale.

A coroutine becomes a function by leaving out `async` and `await` and by taking the blocking twin of each name below. It
works on tokens, so comments and line breaks stay, and a traceback of the one reads like a traceback of the other.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from sysconfig import get_path

CLIENT = Path(__file__).parents[1] / "src" / "mixpeek" / "client"
FROM, INTO = CLIENT / "aio", CLIENT / "sync"
# Written by hand on both sides: all that differs by more than words.
BY_HAND = frozenset({"__init__.py", "world.py"})

TWINS = {
    "aio": "sync",
    "AsyncMixpeek": "Mixpeek",
    "AsyncIterator": "Iterator",
    "asynccontextmanager": "contextmanager",
    "aclose": "close",
    "aread": "read",
    "aiter_text": "iter_text",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}
LEFT_OUT = frozenset({"async", "await"})
# `Awaitable[X]` is `X`.
UNWRAPPED = "Awaitable"

Place = tuple[int, int]


def sync_from(source: str, name: str) -> str:
    """Return the module `name` that blocks for the source of one that awaits, formatted."""
    header = f"# Made from mixpeek/client/aio/{name} by `make client`; change that one.\n"
    return _formatted(header + _translated(source), CLIENT / "sync" / name)


def _translated(source: str) -> str:
    lines = source.splitlines(keepends=True)
    # From the end, so that places before an edit stay what they are.
    for start, end, text in sorted(_edits(source), reverse=True):
        line = lines[start[0] - 1]
        lines[start[0] - 1] = line[: start[1]] + text + line[end[1] :]
    return "".join(lines)


def _edits(source: str) -> Iterator[tuple[Place, Place, str]]:
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    brackets: list[bool] = []
    for token, following in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
        if token.type == tokenize.NAME and token.string in LEFT_OUT:
            yield token.start, following.start, ""
        elif token.type == tokenize.NAME and token.string == UNWRAPPED and following.string == "[":
            yield token.start, token.end, ""
        elif token.type == tokenize.NAME and token.string in TWINS:
            yield token.start, token.end, TWINS[token.string]
        elif token.string in {"[", "(", "{"} and token.type == tokenize.OP:
            wrapped = token.string == "[" and _name_before(tokens, token) == UNWRAPPED
            brackets.append(wrapped)
            if wrapped:
                yield token.start, token.end, ""
        elif token.string in {"]", ")", "}"} and token.type == tokenize.OP and brackets.pop():
            yield token.start, token.end, ""


def _name_before(tokens: list[tokenize.TokenInfo], token: tokenize.TokenInfo) -> str:
    return tokens[tokens.index(token) - 1].string


def _formatted(source: str, path: Path) -> str:
    # An import that has no use any more goes, the others and long lines take their places.
    for arguments in (
        ["check", "--quiet", "--fix-only", "--select", "I,F401"],
        ["format", "--quiet"],
    ):
        command = [f"{get_path('scripts')}/ruff", *arguments, "--stdin-filename", str(path), "-"]
        source = subprocess.run(
            command, input=source, capture_output=True, text=True, check=True, cwd=CLIENT.parents[2]
        ).stdout
    return source


def main(arguments: list[str]) -> int:
    """Write every module that differs; with `--check`, write none, name them on stderr and return 1."""
    made = {
        INTO / path.name: sync_from(path.read_text(encoding="utf-8"), path.name)
        for path in sorted(FROM.glob("*.py"))
        if path.name not in BY_HAND
    }
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    left_over = [path for path in sorted(INTO.glob("*.py")) if path not in made and path.name not in BY_HAND]
    if "--check" in arguments:
        if stale or left_over:
            names = ", ".join(path.name for path in [*stale, *left_over])
            sys.stderr.write(f"out of date: {names}; run `make client`\n")
        return 1 if stale or left_over else 0
    for path in stale:
        path.write_text(made[path], encoding="utf-8")
    for path in left_over:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
