"""`realtime.blocking`: a coroutine waits in a way that lets nothing else run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.edits import Edit, Places
from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import walk_here
from mixpeek.inspection.rules.base import Rule, Spot

_SLEEP = "time.sleep"
_BLOCKING = frozenset(
    {_SLEEP, "urllib.request.urlopen", "urllib.request.urlretrieve"}
    | {f"{module}.{verb}" for module in ("requests", "httpx") for verb in
       ("get", "post", "put", "patch", "delete", "head", "request")}
)  # fmt: skip


def _check(module: Module) -> Iterator[Spot]:
    if b"async" not in module.source:
        return
    for function in module.nodes:
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for part in function.body:
            for node in walk_here(part):
                called = module.functions_called.get(id(node), ()) if isinstance(node, ast.Call) else ()
                found = sorted(_BLOCKING.intersection(called))
                if found:
                    yield node, f"`{found[0]}` blocks the event loop in `async def {function.name}`"


def _fix(module: Module, node: ast.AST) -> list[Edit]:
    """Turn `time.sleep(x)` into `await asyncio.sleep(x)`, importing asyncio where it is not."""
    if not isinstance(node, ast.Call) or module.functions_called.get(id(node)) != (_SLEEP,):
        return []
    places = Places(module.source)
    edits = [Edit(*places.span(node.func), b"await asyncio.sleep")]
    imports = [one for one in module.tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
    named = [alias for one in imports if isinstance(one, ast.Import) for alias in one.names]
    if any(alias.name == "asyncio" and not alias.asname for alias in named):
        return edits
    after = [one for one in imports if not (isinstance(one, ast.ImportFrom) and one.module == "__future__")]
    if not after:
        return []
    start, _ = places.line_span(after[0].lineno, after[0].lineno)
    newline = b"\r\n" if b"\r\n" in module.source else b"\n"
    return [*edits, Edit(start, start, b"import asyncio" + newline)]


RULE = Rule(
    name="realtime.blocking",
    severity=Severity.WARNING,
    summary="A call that blocks inside `async def` stops every other request of the host meanwhile",
    hint="Await it, with `asyncio.sleep` or `httpx.AsyncClient`, or make the method a plain `def`",
    why="One thread answers all requests of a replica; while it waits in such a call, none goes on.",
    offending=(
        """import time

class Handler:
    async def run_inference(self, inputs, parameters):
        time.sleep(0.1)
        return {"embedding": [0.0]}
""",
        """import requests

class Handler:
    async def __call__(self, inputs, parameters):
        return requests.post("https://host/embed", json=inputs, timeout=5).json()
""",
    ),
    harmless=(
        """import asyncio
import httpx

class Handler:
    async def __call__(self, inputs, parameters):
        await asyncio.sleep(0.1)
        async with httpx.AsyncClient() as client:
            return (await client.post("https://host/embed", json=inputs)).json()
""",
        """import time

class Handler:
    def predict(self, request):
        time.sleep(0.1)
        return {"embedding": [0.0]}
""",
    ),
    check=_check,
    fix=_fix,
    fix_is_safe=True,
)
