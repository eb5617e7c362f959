"""How the inference route reads a body: in pieces, up to the limit, and to its end only."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from starlette.datastructures import State

from mixpeek.api.inference import Inference
from mixpeek.api.middleware import BodyTooLarge
from mixpeek.errors import NotFound
from mixpeek.tenancy.models import Principal

PIECE = 64 * 1024


def answered(pieces: list[bytes], *, most: int = 1 << 30, is_cut: bool = False) -> tuple[list[dict[str, Any]], int]:
    """Return what is sent for a request that comes in pieces, and how many answers were noted; no plugin is known."""
    noted: list[int] = []
    sent: list[dict[str, Any]] = []
    tenancy = SimpleNamespace(
        recall_hash=lambda _: Principal("org", "key_1", "tests", ("read",)), recall=lambda *_: "ns_1"
    )

    async def locate(*_: Any) -> Any:
        raise NotFound("plugin", "words")

    replicas = SimpleNamespace(table=SimpleNamespace(find=lambda *_: None), locate=locate)
    state = State({"platform": SimpleNamespace(keyring=tenancy, addresses=tenancy, replicas=replicas)})
    coming: list[dict[str, Any]] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if is_cut:
        coming.append({"type": "http.disconnect"})
    else:
        coming[-1]["more_body"] = False
    coming.reverse()

    async def receive() -> Any:
        return coming.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    async def elsewhere(*_: Any) -> None:
        raise AssertionError("it is the route's own request")

    front = Inference(elsewhere, state, most, observe=lambda _, status, *__: noted.append(status))
    headers = [(b"authorization", b"Bearer sk_known"), (b"x-namespace", b"ns_1")]
    scope = {"type": "http", "method": "POST", "path": "/v1/inference", "headers": headers, "query_string": b""}
    asyncio.run(front(scope, receive, send))
    return sent, len(noted)


def body_of(size: int) -> bytes:
    return orjson.dumps({"inference_name": "words", "inputs": {"text": "x" * size}})


def in_pieces(body: bytes) -> list[bytes]:
    return [body[at : at + PIECE] for at in range(0, len(body), PIECE)]


def seconds_for(size: int) -> float:
    pieces = in_pieces(body_of(size))
    began = time.process_time()
    sent, _ = answered(pieces)
    assert sent[0]["status"] == 404
    return time.process_time() - began


def test_a_large_body_costs_as_much_for_each_of_its_pieces_as_a_small_one() -> None:
    seconds_for(PIECE)  # what is imported once
    small = min(seconds_for(2 << 20) for _ in range(3))

    # Sixteen times the pieces, and 256 times the work if each were added to all before it.
    assert seconds_for(32 << 20) < 64 * small + 0.2


@pytest.mark.parametrize("pieces", [[b"x" * 101], [b"x" * 100, b"x"]])
def test_a_body_over_the_limit_is_refused_however_it_comes(pieces: list[bytes]) -> None:
    sent, noted = answered(pieces, most=100)

    assert (sent[0]["status"], noted) == (BodyTooLarge.status, 1)


def test_a_request_whose_client_left_before_its_end_is_no_answer() -> None:
    assert answered([body_of(5)[:-3]], is_cut=True) == ([], 0)
