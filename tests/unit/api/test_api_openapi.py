"""The OpenAPI: every route says what it answers, typed; every error is the one envelope; every word is in place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from fastapi.routing import APIRoute

from mixpeek.api.access import permission_of
from mixpeek.api.app import ROUTERS, create_app
from mixpeek.api.examples import EXAMPLES
from mixpeek.api.openapi import TAGS, body_name

ENVELOPE = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}}


@dataclass(frozen=True)
class Operation:
    """One operation of the OpenAPI and the route behind it."""

    method: str
    path: str
    described: dict[str, Any]
    route: APIRoute

    @property
    def body(self) -> dict[str, Any] | None:
        content: dict[str, Any] = self.described.get("requestBody", {}).get("content", {})
        return content.get("application/json")


@cache
def openapi() -> dict[str, Any]:
    """Return the OpenAPI, made once: by the process that runs these tests, not by each that collects them."""
    return create_app(1, None).openapi()  # type: ignore[arg-type]


def described(method: str, route: APIRoute) -> Operation:
    return Operation(method, route.path, openapi()["paths"][route.path][method.lower()], route)


ROUTES = [
    (method, route)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and route.include_in_schema
    for method in sorted(route.methods or ())
]
every_operation = pytest.mark.parametrize("operation", ROUTES, ids=lambda pair: pair[1].unique_id, indirect=True)


@pytest.fixture
def operation(request: pytest.FixtureRequest) -> Operation:
    return described(*request.param)


def test_what_is_described_are_the_routes() -> None:
    found = {(method.upper(), path) for path, methods in openapi()["paths"].items() for method in methods}

    assert found == {(method, route.path) for method, route in ROUTES}


@every_operation
def test_a_route_has_words_a_group_and_described_parameters(operation: Operation) -> None:
    described = operation.described

    assert described["summary"]
    assert described["description"]
    assert len(described["tags"]) == 1
    assert described["tags"][0] in TAGS
    assert [p["name"] for p in described.get("parameters", []) if not p["description"]] == []


@every_operation
def test_a_route_types_its_answer(operation: Operation) -> None:
    (success,) = [answer for status, answer in operation.described["responses"].items() if status < "300"]
    if operation.described["operationId"] == "put_blob" or "204" in operation.described["responses"]:
        assert "content" not in success
        return

    for media_type, content in success["content"].items():
        schema = content["schema"]
        if media_type == "text/event-stream":  # OpenAPI 3.1 has no way to type the events of a stream
            assert schema["type"] == "string"
            assert content["example"].startswith("id: ")
            continue
        items = schema.get("items", schema)
        assert "$ref" in items or items == {"type": "string", "format": "binary"}


@every_operation
def test_every_error_of_a_route_is_the_envelope(operation: Operation) -> None:
    errors = {int(status): answer for status, answer in operation.described["responses"].items() if status >= "400"}

    assert all(answer["content"] == ENVELOPE for answer in errors.values())
    assert 422 in errors
    if permission_of(operation.route.dependant) is not None:
        assert errors.keys() >= {401, 403, 429, 503}
        assert operation.described["security"] == [{"key": []}]


@every_operation
def test_a_json_body_has_an_example_that_the_route_accepts(operation: Operation) -> None:
    if operation.body is None:
        return
    assert operation.route.body_field is not None

    example = EXAMPLES[body_name(operation.body["schema"])]

    assert operation.body["example"] == example
    _, errors = operation.route.body_field.validate(example)
    assert not errors


def test_operation_ids_are_unique_and_read_as_verb_and_noun() -> None:
    ids = [described(*each).described["operationId"] for each in ROUTES]

    assert len(ids) == len(set(ids))
    assert all("_" in each and each == each.lower() for each in ids)


def test_schemas_have_plain_names_and_none_is_the_frameworks_own() -> None:
    names = openapi()["components"]["schemas"].keys()

    assert [name for name in names if not name.isalnum() or name in ("HTTPValidationError", "ValidationError")] == []


def test_every_example_is_used() -> None:
    bodies = [described(*each).body for each in ROUTES]
    used = {body_name(body["schema"]) for body in bodies if body}

    assert used == EXAMPLES.keys()


def test_every_reference_leads_to_a_schema() -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (v for k, v in value.items() if k == "$ref" and isinstance(v, str))
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    found = {reference.removeprefix("#/components/schemas/") for reference in references(openapi())}

    assert found <= openapi()["components"]["schemas"].keys()
