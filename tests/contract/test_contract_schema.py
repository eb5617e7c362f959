"""Requests made up from our own OpenAPI: plugins and secrets never fail, and answer only what they document."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from factories.plugins import MakePlugin
from factories.servers import API_KEY, Server
from factories.surface import Surface

SURFACE = r"/(plugins|extractors|secrets)(/|$)"
EXAMPLES = 25
# Every operation gets its share of this, so that a slow machine tries fewer requests rather than fewer operations.
WITHIN_S = 30.0
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
# How a request is framed is up to the library that sends it: made up, these leave no request, or one without an end.
FRAMING = {"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
QUIET = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Enough(Exception):
    """The time of one operation is over: thinking up requests that are not sent takes longest."""


def operations(server: Server) -> Iterator[Any]:
    """The operations on plugins and secrets, those that take something away last."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json").include(path_regex=SURFACE)
    found = [each.ok() for each in schema.get_all_operations()]
    yield from sorted(found, key=lambda operation: (operation.method == "delete", operation.path, operation.method))


def fault_of(operation: Any, real: dict[str, str], within_s: float) -> str | None:
    """Send made-up requests to one operation, half of them about what exists; return what is wrong, None if nothing."""
    for mode in MODES:
        try:
            ask(operation, mode, real, within_s / len(MODES))
        except Enough:
            pass
        except (Exception, FailureGroup) as error:
            return f"{operation.label}: {error}"
    return None


def ask(operation: Any, mode: GenerationMode, real: dict[str, str], within_s: float) -> None:
    """Send requests to one operation, one at least, and raise what is wrong; raise Enough when the time is over."""
    ends = time.monotonic() + within_s
    answered = 0

    def send(case: Case, about_real: bool) -> None:
        nonlocal answered
        if answered and time.monotonic() > ends:
            raise Enough
        given_ids = case.path_parameters
        known = {name: value for name, value in real.items() if name in given_ids}
        kept = known if about_real else {name: known[name] for name in known if name == "namespace_id"}
        case.path_parameters = {**given_ids, **kept}
        case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() not in FRAMING}
        if operation.path.endswith("/logs"):  # a log that is followed never ends; it has tests of its own
            case.query = {name: value for name, value in (case.query or {}).items() if name != "follow"}
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": real["namespace_id"]}
        answered += 1
        case.call_and_validate(checks=CHECKS, headers=headers, timeout=60)

    QUIET(given(operation.as_strategy(generation_mode=mode), st.booleans())(send))()
    assert answered, operation.label


def test_the_plugins_surface_answers_only_what_it_documents(
    server: Server, surface: Surface, make_plugin: MakePlugin
) -> None:
    plugin_id = surface.publish(make_plugin("text_embed"))
    real = {"namespace_id": surface.namespace_id, "plugin_id": plugin_id, "slug": "text_embed"}
    found = list(operations(server))

    faults = [fault_of(operation, real, WITHIN_S / len(found)) for operation in found]

    assert len(found) >= 25, [operation.label for operation in found]
    assert not any(faults), "\n\n".join(fault for fault in faults if fault)
