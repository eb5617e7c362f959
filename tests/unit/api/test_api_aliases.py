"""Nested addresses: which paths they are, and that what lives under a namespace by itself is left alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi.routing import APIRoute

from mixpeek.api.aliases import NESTED, NamespaceAliases, flat_address
from mixpeek.api.app import ROUTERS

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/namespaces/ns_1/buckets", ("ns_1", "/v1/buckets")),
        ("/v1/namespaces/my space/collections/c/documents/list", ("my space", "/v1/collections/c/documents/list")),
        ("/v1/namespaces/ns_1/tasks/task_1", ("ns_1", "/v1/tasks/task_1")),
        ("/v1/namespaces/ns_1/plugins", None),
        ("/v1/namespaces/ns_1/bucketsx", None),
        ("/v1/namespaces/ns_1", None),
        ("/v1/namespaces/list", None),
        ("/v1/namespaces//buckets", None),
        ("/v1/buckets", None),
    ],
)
def test_a_nested_path_is_a_namespace_and_a_flat_path(path: str, found: Any) -> None:
    assert flat_address(path) == found


def test_no_route_under_a_namespace_is_hidden_by_a_nested_spelling() -> None:
    own = {route.path.split("/")[4] for route in ROUTES if route.path.startswith("/v1/namespaces/{namespace_id}/")}

    assert own
    assert not own & NESTED


def test_every_nested_spelling_has_a_flat_route() -> None:
    assert {route.path.split("/")[2] for route in ROUTES if route.path.startswith("/v1/")} >= NESTED


def test_the_path_names_the_namespace_whatever_the_header_says() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = {
        "type": "http",
        "path": "/v1/namespaces/n b/buckets/ä",
        "raw_path": b"/v1/namespaces/n%20b/buckets/%C3%A4",
        "headers": [(b"x-namespace", b"other"), (b"accept", b"*/*")],
    }
    asyncio.run(NamespaceAliases(app)(scope, None, None))  # type: ignore[arg-type]

    [changed] = seen
    assert (changed["path"], changed["raw_path"]) == ("/v1/buckets/ä", b"/v1/buckets/%C3%A4")
    assert changed["headers"] == [(b"accept", b"*/*"), (b"x-namespace", b"n b")]
