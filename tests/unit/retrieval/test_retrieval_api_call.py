"""`api_call` against a real server: what is sent, what is kept of the answer, and what becomes of failures."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from factories.local_server import Answer, LocalServer
from mixpeek.documents.port import Document
from mixpeek.errors import MixpeekError
from mixpeek.execution.egress.policy import EgressPolicy, exemptions_from
from mixpeek.retrieval.context import Context
from mixpeek.retrieval.outside import OutsideCaller, OutsideFailed
from mixpeek.retrieval.results import Result
from mixpeek.retrieval.stages.api_call import Parameters, run

SECRETS = {"api_key": "s3cret", "login": "me:pw"}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    own = asyncio.new_event_loop()
    thread = threading.Thread(target=own.run_forever)
    thread.start()
    yield own
    own.call_soon_threadsafe(own.stop)
    thread.join(10)
    own.close()


@pytest.fixture
def there() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


def context_with(outside: OutsideCaller) -> Any:
    """Return what the stage uses of an execution; documents are read and secrets given, so no database is asked."""
    own: Any = SimpleNamespace(
        inputs={"lang": "en"},
        about={"namespace_id": "ns"},
        tools=SimpleNamespace(outside=outside),
        reading=SimpleNamespace(release=lambda: None),
        reveal=SECRETS.__getitem__,
        metadata={},
        warnings=[],
        stage_name="call",
        results_of=lambda flow: flow,
        check_time=lambda: None,
    )
    own.warn = own.warnings.append
    return own


def documents(*skus: str) -> list[Result]:
    return [
        Result(f"doc_{n}", "col", 1.0, stored=Document(f"doc_{n}", "col", {"sku": sku}, {}))
        for n, sku in enumerate(skus)
    ]


def called(there: LocalServer, loop: asyncio.AbstractEventLoop, results: list[Result], **given: Any) -> tuple[Any, Any]:
    policy = EgressPolicy(exemptions=exemptions_from("127.0.0.1", "MIXPEEK_EGRESS_ALLOW"))
    context: Context = context_with(OutsideCaller(policy, loop))
    parameters = Parameters.model_validate(
        {"url": f"{there.url}/items/{{{{DOC.sku}}}}", "allowed_domains": ["127.0.0.1"], **given}
    )
    return run(parameters, context, results), context


def test_each_document_gets_the_part_of_its_answer(there: LocalServer, loop: asyncio.AbstractEventLoop) -> None:
    there.on("GET /items/a%2F..%2Fb", {"data": [{"price": 3}]})
    there.on("GET /items/c", {"data": [{"price": 4}]})

    found, context = called(
        there, loop, documents("a/../b", "c"), response_path="$.data[0].price", output_field="shop.price"
    )

    assert [result.read("shop.price") for result in found] == [3, 4]
    assert (context.warnings, context.metadata) == ([], {"calls": 2, "failed": 0})


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ({"type": "bearer", "secret_ref": "api_key"}, "authorization", "Bearer s3cret"),
        ({"type": "api_key", "secret_ref": "api_key", "key": "X-Key"}, "x-key", "s3cret"),
        ({"type": "basic", "secret_ref": "login"}, "authorization", f"Basic {base64.b64encode(b'me:pw').decode()}"),
    ],
)
def test_a_secret_is_sent_and_nowhere_kept(
    there: LocalServer, loop: asyncio.AbstractEventLoop, auth: Any, name: str, value: str
) -> None:
    there.on("GET /items/a", {})

    found, context = called(there, loop, documents("a"), auth=auth)

    assert there.asked[0].headers[name] == value
    assert "s3cret" not in json.dumps([found[0].wire(), context.metadata, context.warnings], default=str)


def test_a_body_is_filled_in_from_the_document_the_inputs_and_secrets(
    there: LocalServer, loop: asyncio.AbstractEventLoop
) -> None:
    there.on("POST /items/a", {})

    called(
        there,
        loop,
        documents("a"),
        method="POST",
        headers={"X-Token": "{{SECRET.api_key}}"},
        body={"sku": "{{DOC.sku}}", "lang": "{{INPUT.lang}}", "score": "{{DOC.score}}"},
    )

    assert json.loads(there.asked[0].content) == {"sku": "a", "lang": "en", "score": 1.0}
    assert there.asked[0].headers["x-token"] == "s3cret"


@pytest.mark.parametrize(("on_error", "left"), [("skip", ["a", "b"]), ("remove", ["b"])])
def test_a_failed_call_is_skipped_or_removes_its_document(
    there: LocalServer, loop: asyncio.AbstractEventLoop, on_error: str, left: list[str]
) -> None:
    there.on("GET /items/a", Answer({"fault": 1}, 500))
    there.on("GET /items/b", {"ok": 1})

    found, context = called(there, loop, documents("a", "b"), on_error=on_error)

    assert [result.read("sku") for result in found] == left
    assert "answered 500" in context.warnings[0]


def test_a_failed_call_may_fail_all(there: LocalServer, loop: asyncio.AbstractEventLoop) -> None:
    there.on("GET /items/a", Answer({"big": "x" * 1000}, 200))

    with pytest.raises(OutsideFailed, match="larger than 100 bytes"):
        called(there, loop, documents("a"), on_error="raise", max_response_size=100)


def test_only_documents_that_pass_are_called_for(there: LocalServer, loop: asyncio.AbstractEventLoop) -> None:
    there.on("GET /items/b", {"ok": 1})

    found, context = called(there, loop, documents("a", "b"), when={"sku": "b"})

    assert (len(found), context.metadata["calls"], len(there.asked)) == (2, 1, 1)


def test_a_server_without_a_way_outside_calls_nobody(there: LocalServer, loop: asyncio.AbstractEventLoop) -> None:
    for policy, reason in ((EgressPolicy(enabled=False), "calls no other"), (EgressPolicy(), "is refused")):
        with pytest.raises(MixpeekError, match=reason):
            OutsideCaller(policy, loop)("GET", f"{there.url}/x", {}, None, timeout_s=5, most_bytes=10)
    assert there.asked == []
