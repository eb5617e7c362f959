"""http.md and http/*.md: every route with what it takes and answers, and every shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scripts.reference.markdown import anchor, code, heading, table, written

from mixpeek.api.app import create_app
from mixpeek.api.openapi import TAGS

WORDS = """The server describes itself at `/openapi.json` and shows it at `/docs`; this is the same to read. Requests
carry `Authorization: Bearer <key>`, and where a route acts in a namespace without naming one in its path,
`X-Namespace: <id or name>`. Query parameters and body keys that a route does not know are refused with 422. Every error
is an [ErrorEnvelope](http/shapes.md#errorenvelope); its codes are in [Errors](errors.md)."""
SHAPE = "#/components/schemas/"
LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "characters at least",
    "maxLength": "characters at most",
    "minItems": "items at least",
    "maxItems": "items at most",
}


def pages() -> dict[str, str]:
    """Return http.md, the routes on one page for each topic, and the shapes on one page, by their paths."""
    openapi = create_app(1, None).openapi()  # type: ignore[arg-type]  # nothing is started
    rows = []
    made = {}
    for tag, words in TAGS.items():
        routes = [
            (method.upper(), path, operation)
            for path, methods in openapi["paths"].items()
            for method, operation in methods.items()
            if tag in operation["tags"]
        ]
        title, path = tag.capitalize().replace("Api", "API"), f"http/{tag.replace(' ', '-')}.md"
        made[path] = written([*heading(title, words), *(line for route in routes for line in _operation(*route))])
        rows.append((f"[{title}]({path})", words))
        rows += [
            (f"[{code(f'{method} {route}')}]({path}{anchor(operation['summary'])})", operation["summary"])
            for method, route, operation in routes
        ]
    shapes = [
        line for name, schema in sorted(openapi["components"]["schemas"].items()) for line in _shape(name, schema)
    ]
    made["http/shapes.md"] = written(
        [*heading("Shapes", "Every object that a request or an answer is made of."), *shapes]
    )
    made["http.md"] = written([*heading("HTTP", WORDS), *table(("Route", "What it does"), rows)])
    return made


def _operation(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    permission = operation.get("x-permission")
    lines = [f"## {operation['summary']}", "", code(f"{method} {path}"), ""]
    lines += [*operation["description"].splitlines(), ""]
    lines += [f"Takes a key with the {code(permission)} permission." if permission else "Takes no key.", ""]
    rows = [
        (code(p["name"]), p["in"], _type(p["schema"]), "yes" if p.get("required") else "", _words(p, p["schema"]))
        for p in operation.get("parameters", [])
    ]
    lines += table(("Parameter", "In", "Type", "Required", ""), rows)
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        optional = "" if operation["requestBody"].get("required") else ", may be left out"
        lines += [f"Body ({code(kind)}{optional}): {_type(content['schema'])}", ""]
        if "example" in content:
            lines += ["```json", json.dumps(content["example"], indent=2), "```", ""]
    errors = []
    for status, answer in operation["responses"].items():
        if status >= "400":
            errors.append(status)
            continue
        kinds = [f"{_type(content['schema'])} ({code(kind)})" for kind, content in answer.get("content", {}).items()]
        lines += [f"Answers {status}: {', or '.join(kinds) or 'no body'}", ""]
    return [*lines, f"Errors: {', '.join(errors)}", ""]


def _shape(name: str, schema: dict[str, Any]) -> list[str]:
    lines = [f"## {name}", "", *([schema["description"], ""] if "description" in schema else [])]
    if "enum" in schema:
        return [*lines, f"One of {', '.join(code(value) for value in schema['enum'])}", ""]
    needed = schema.get("required", [])
    rows = [
        (code(key), _type(field), "yes" if key in needed else "", _words(field, field))
        for key, field in schema.get("properties", {}).items()
    ]
    if schema.get("additionalProperties") is True:
        rows.append(("…", "anything", "", "further keys"))
    return [*lines, *table(("Key", "Type", "Always", ""), rows)]


def _type(schema: dict[str, Any]) -> str:
    """Return a schema in words, with links to the shapes it is made of."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SHAPE)
        return f"[{name}](shapes.md{anchor(name)})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(choice) for choice in schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        return " or ".join(code(json.dumps(value)) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return _object(schema) if schema.get("type") == "object" else str(schema.get("format") or schema.get("type", "any"))


def _object(schema: dict[str, Any]) -> str:
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        return f"object of {_type(values)}"
    fields = ", ".join(code(name) for name in schema.get("properties", {}))
    return f"object with {fields}" if fields else "object"


def _words(described: dict[str, Any], schema: dict[str, Any]) -> str:
    return " ".join(_facts(described, schema))


def _facts(described: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    if described.get("description"):
        yield described["description"]
    if schema.get("default") not in (None, "", [], {}):
        yield f"Default {code(json.dumps(schema['default']))}."
    limits = [f"{words} {schema[key]}" for key, words in LIMITS.items() if key in schema]
    if limits:
        yield f"{', '.join(limits).capitalize()}."
    if schema.get("examples"):
        yield f"Such as {', '.join(code(value) for value in schema['examples'])}."
