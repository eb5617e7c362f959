"""`secret.literal`: a secret is written in the code, in no form that is known by sight."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import last_name
from mixpeek.inspection.rules.base import Rule, Spot
from mixpeek.inspection.rules.lint.secret_parameter import SECRET_NAME
from mixpeek.inspection.secrets import secrets_in

_LEAST = 8
# A name, and a value in quotes behind it; most files have none.
_MAY_HOLD = re.compile(
    rb"(?i)(?:key|secret|passw\w*|token|authorization)[\"']?(?:\s*:[^=\n]*)?\s*[:=]\s*\(?\s*[ru]?[\"']"
)
_BEARER = re.compile(r"Bearer \S{12,}")
_NOT_REAL = re.compile(r"your|example|placeholder|dummy|changeme|xxx|test|fake|[<{$ ]", re.IGNORECASE)


def _check(module: Module) -> Iterator[Spot]:
    if module.path.startswith("tests/") or not _MAY_HOLD.search(module.source):
        return
    for node in module.nodes:
        for name, value in _named(node):
            if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
                continue
            text = value.value
            is_header = name.lower() == "authorization" and bool(_BEARER.fullmatch(text))
            told = text.removeprefix("Bearer ") if is_header else text
            if (is_header or SECRET_NAME.search(name.lower())) and _looks_real(told):
                yield value, f"`{name[:40]}` is written in the code"


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Return what a keyword, an assignment or a dict gives a name to."""
    if isinstance(node, ast.keyword) and node.arg:
        yield node.arg, node.value
    elif isinstance(node, ast.Assign):
        yield from ((last_name(target), node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield last_name(node.target), node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value


def _looks_real(text: str) -> bool:
    if len(text) < _LEAST or _NOT_REAL.search(text) or not text.isascii():
        return False
    mixed = any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
    # What is known by its form has an error of its own.
    return mixed and next(secrets_in("", text.encode()), None) is None


RULE = Rule(
    name="secret.literal",
    severity=Severity.WARNING,
    summary="A password or key in the code can be read by whoever pulls the plugin",
    hint='Keep it with `mixpeek secret create NAME`, and read it with `await container.secrets.get("NAME")`',
    why="Versions are never changed, so that what was published once can be read from then on.",
    offending=(
        'client = Client(password="hunter2-4711")\n',
        'headers = {"Authorization": "Bearer 4f7c2a91d0e35b68"}\n',
    ),
    harmless=(
        'import os\nclient = Client(password=os.environ["DB_PASSWORD"])\n',
        'client = Client(api_key="your-api-key-1", cache_key="rows-2024-01")\n',
    ),
    check=_check,
)
