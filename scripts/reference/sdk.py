"""sdk.md: the Python client, resource by resource."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from scripts.reference.markdown import anchor, code, heading, table, written
from scripts.reference.python import members_of, signature_of, words_of

from mixpeek.client import ApiError, Mixpeek, Response, ServerUnreachable, WaitTimedOut, records
from mixpeek.webhooks import SignatureInvalid, verify

WORDS = """`from mixpeek import Mixpeek`. `AsyncMixpeek` has the same methods as coroutines; what yields is iterated
with `async for` there. Every method may raise `ApiError` (the server refused) and `ServerUnreachable`; both carry
`code`, `message`, `hint` and `details`. Answers are dicts whose keys are attributes too; a type named here lists the
keys an editor completes."""
ERRORS = (ApiError, ServerUnreachable, WaitTimedOut)


def resources() -> dict[str, type]:
    """Return the resources of a client by their attribute."""
    client = Mixpeek(api_key="sk_none", base_url="http://127.0.0.1:9")
    try:
        return {name: type(value) for name, value in vars(client).items() if not name.startswith("_")}
    finally:
        client.close()


def answers() -> Iterator[type[Response]]:
    """Yield the types of answers, in order."""
    for cls in vars(records).values():
        if inspect.isclass(cls) and issubclass(cls, Response) and cls.__module__ == records.__name__:
            yield cls


def public() -> dict[str, object]:
    """Return every public name of the client with what it is, methods as `client.buckets.create`."""
    found: dict[str, object] = {"Mixpeek": Mixpeek, "verify": verify, "SignatureInvalid": SignatureInvalid}
    found |= {f"client.{name}": member for name, member in members_of(Mixpeek)}
    for attribute, cls in resources().items():
        found[f"client.{attribute}"] = cls
        for owner in reversed(cls.__mro__[:-1]):
            found |= {f"client.{attribute}.{name}": member for name, member in members_of(owner)}
    found |= {cls.__name__: cls for cls in (*ERRORS, Response, *answers())}
    return found


def page() -> str:
    """Return sdk.md."""
    every = resources()
    contents = [(f"[{code(f'client.{name}')}]({anchor(f'client.{name}')})", _first(cls)) for name, cls in every.items()]
    lines = [*heading("Python SDK", WORDS), "## Mixpeek", "", *_called("Mixpeek", Mixpeek)]
    lines += table(("Resource", "What it is about"), contents)
    for name, cls in every.items():
        lines += [f"## client.{name}", "", *words_of(cls)]
        for method, member in members_of(cls):
            lines += [f"### {name}.{method}", "", *_called(f"client.{name}.{method}", member)]
    lines += ["## Errors", ""]
    for error in ERRORS:
        lines += [f"### {error.__name__}", "", *words_of(error)]
    lines += ["## Webhooks", "", "From `mixpeek.webhooks`.", "", "### verify", "", *_called("verify", verify)]
    lines += ["### SignatureInvalid", "", *words_of(SignatureInvalid), "## Answers", ""]
    lines += ["### Response", "", *words_of(Response)]
    for answer in answers():
        keys = [(code(key), code(kind)) for key, kind in vars(answer).get("__annotations__", {}).items()]
        lines += [f"### {answer.__name__}", "", *words_of(answer), *table(("Key", "Type"), keys)]
    return written(lines)


def _called(name: str, thing: object) -> list[str]:
    if isinstance(thing, property):
        return words_of(thing)
    return ["```text", signature_of(name, thing), "```", "", *words_of(thing)]


def _first(cls: type) -> str:
    return words_of(cls)[0]
