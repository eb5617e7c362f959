"""What a host may ask, and how fast; and how its secrets are kept out of its words. A host is foreign."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mixpeek.contract.asking import READ_BYTES, Refused
from mixpeek.execution.asks.pace import MOST, PER_S, Pace
from mixpeek.execution.asks.port import Generation, GenerationRequest
from mixpeek.execution.asks.questions import answer, request_from
from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.replies import error_from


class EchoBroker:
    """Says back what it was asked."""

    async def asset_size(self, namespace_id: str | None, url: str) -> int:
        return len(url)

    async def read_asset(self, namespace_id: str | None, url: str, offset: int, size: int) -> bytes:
        return b"x" * size

    async def secret(self, namespace_id: str | None, name: str) -> str:
        return f"{namespace_id}/{name}"

    async def list_secrets(self, namespace_id: str | None) -> list[str]:
        return [str(namespace_id)]

    async def generate(self, namespace_id: str | None, request: GenerationRequest) -> Generation:
        return Generation(request.prompt.upper(), request.model or "tiny", {})


def asked(body: bytes = b"", **fields: Any) -> Any:
    return asyncio.run(answer(EchoBroker(), "ns_1", fields, body))


def test_each_question_is_answered_in_the_name_of_the_namespace() -> None:
    assert asked(ask="asset.stat", url="s3://x") == ({"size_bytes": 6}, b"")
    assert asked(ask="asset.read", url="s3://x", offset=0, size=3) == ({}, b"xxx")
    assert asked(ask="secret.get", name="K") == ({"value": "ns_1/K"}, b"")
    assert asked(ask="secret.list") == ({"names": ["ns_1"]}, b"")
    assert asked(b'{"prompt": "hi"}', ask="llm.generate")[0]["text"] == "HI"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"ask": None},
        {"ask": ["asset.stat"]},
        {"ask": "__class__"},
        {"ask": "asset.stat"},
        {"ask": "asset.stat", "url": ""},
        {"ask": "asset.stat", "url": "s3://x\0y"},
        {"ask": "asset.stat", "url": "s3://x\ny"},
        {"ask": "asset.stat", "url": 7},
        {"ask": "asset.stat", "url": "x" * 2049},
        {"ask": "asset.read", "url": "s3://x", "offset": -1, "size": 1},
        {"ask": "asset.read", "url": "s3://x", "offset": 2**60, "size": 1},
        {"ask": "asset.read", "url": "s3://x", "offset": True, "size": 1},
        {"ask": "asset.read", "url": "s3://x", "offset": 0, "size": READ_BYTES + 1},
        {"ask": "secret.get", "name": "k" * 201},
    ],
)
def test_a_question_with_fields_of_another_kind_or_size_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        asked(**fields)
    assert refused.value.code in {"invalid", "too_large"}


def test_only_a_prompt_comes_in_a_body() -> None:
    with pytest.raises(Refused, match="no body"):
        asked(b"{}", ask="secret.list")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"nonsense", "not JSON"),
        (b"[" * 5_000, "not JSON"),
        (b'"prompt"', "prompt"),
        ({"prompt": 1}, "prompt"),
        ({"prompt": "a", "promt": "b"}, "promt is not an option"),
        ({"prompt": "a", "system": 1}, "system"),
        ({"prompt": "a", "temperature": 3}, "temperature"),
        ({"prompt": "a", "temperature": True}, "temperature"),
        ({"prompt": "a", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "a", "response_format": "json"}, "response_format"),
    ],
)
def test_a_generation_that_is_not_as_documented_is_refused_by_name(body: Any, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        request_from(body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_host_that_asks_too_fast_waits_as_long_as_it_takes_to_earn_the_next_question() -> None:
    pace = Pace(now=100.0)

    at_once = next(number for number in range(10_000) if pace.wait_s("asset.read", 100.0))

    assert at_once == MOST
    assert pace.wait_s("secret.get", 100.0) == pytest.approx(20 / PER_S)
    assert pace.wait_s("asset.read", 100.0 + 1 / PER_S) == 0


def test_a_pause_earns_no_more_than_a_rested_host_has() -> None:
    pace = Pace(now=0.0)

    assert sum(pace.wait_s("llm.generate", 1e6) == 0 for _ in range(1_000)) == MOST / 50


def test_hidden_texts_are_covered_however_they_are_quoted_and_short_ones_are_left() -> None:
    veil = Veil()
    for text in ('sesame"open', "line one\nline two", "abc"):
        veil.hide(text)

    assert veil.cover('sesame\\"open line two abc') == "*** *** abc"
    assert veil.cover_bytes(b'key=sesame"open!') == b"key=***!"


def test_a_secret_in_what_a_plugin_raised_is_covered() -> None:
    veil = Veil()
    veil.hide("sesame-open")
    reply = {"error": {"type": "PluginRaised", "message": "HTTPError: https://x/?key=sesame-open"}}

    assert error_from(reply, veil.cover).message == "HTTPError: https://x/?key=***"
