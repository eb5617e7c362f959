"""A language model behind HTTP: what is sent, what is taken back, and how each failure reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from factories.local_server import Answer, LocalServer
from mixpeek.broker.llm import HttpLanguageModel, language_model
from mixpeek.contract.asking import Refused
from mixpeek.execution.asks.port import Generation, GenerationRequest

ROUTE = "POST /v1/chat/completions"
WRITTEN = {
    "model": "tiny-2",
    "choices": [{"message": {"role": "assistant", "content": "Bonjour"}}],
    "usage": {"total_tokens": 7, "details": {"cached": 1}},
}


@pytest.fixture
def service() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


def generate(service: LocalServer, key: str | None = "sesame-open", **request: Any) -> Generation:
    model = HttpLanguageModel(f"{service.url}/v1/", "tiny", 10)
    return asyncio.run(model.generate(GenerationRequest(**{"prompt": "Hello", **request}), key))


def test_a_prompt_becomes_chat_completions_with_the_options_that_were_given(service: LocalServer) -> None:
    service.on(ROUTE, WRITTEN)

    made = generate(service, system="In French", temperature=0, max_tokens=9, response_format={"type": "text"})

    assert made == Generation("Bonjour", "tiny-2", {"total_tokens": 7})
    assert service.asked[0].headers["authorization"] == "Bearer sesame-open"
    assert service.asked[0].json == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "In French"}, {"role": "user", "content": "Hello"}],
        "stream": False,
        "temperature": 0,
        "max_tokens": 9,
        "response_format": {"type": "text"},
    }


def test_without_a_key_none_is_sent_and_a_named_model_is_asked(service: LocalServer) -> None:
    service.on(ROUTE, WRITTEN)

    generate(service, key=None, model="other")

    assert "authorization" not in service.asked[0].headers
    assert service.asked[0].json["model"] == "other"


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        (Answer({"error": "the key sesame-open is wrong"}, 401), "invalid", r"answered 401: .*the key \*\*\* is wrong"),
        (Answer({}, 429), "unavailable", "answered 429"),
        (Answer(b"", 503), "unavailable", "answered 503$"),
        (Answer({}, 302, {"Location": "http://127.0.0.1:1/"}), "invalid", "answered 302"),
        (Answer(b"<html>"), "unavailable", "did not answer as chat completions do"),
        (Answer([]), "unavailable", "did not answer as chat completions do"),
        (Answer({"choices": []}), "unavailable", "did not answer as chat completions do"),
        (Answer({"choices": [{"message": {"content": None}}]}), "unavailable", "did not answer as chat"),
        (Answer(b"x" * (4 * 1024**2 + 1)), "too_large", "more than 4,194,304 bytes"),
    ],
)
def test_what_the_service_cannot_do_is_told_without_the_key(
    service: LocalServer, answer: Answer, code: str, reason: str
) -> None:
    service.on(ROUTE, answer)

    with pytest.raises(Refused, match=reason) as refused:
        generate(service)

    assert refused.value.code == code
    assert "sesame" not in refused.value.reason


def test_a_service_that_is_not_there_or_hangs_is_named_within_its_time_limit() -> None:
    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hung.append(writer)

    async def scenario() -> list[str]:
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        model = HttpLanguageModel(f"http://127.0.0.1:{port}", "tiny", 0.2)
        codes = []
        for _ in range(2):
            try:
                await model.generate(GenerationRequest("a"), None)
            except Refused as refused:
                codes.append(refused.code)
            for writer in hung:
                writer.close()
            server.close()
            await server.wait_closed()
        return codes

    hung: list[asyncio.StreamWriter] = []

    assert asyncio.run(scenario()) == ["timed_out", "unavailable"]


def test_no_model_is_named_anywhere_and_no_url_is_set() -> None:
    with pytest.raises(Refused, match="MIXPEEK_LLM_MODEL"):
        asyncio.run(HttpLanguageModel("http://127.0.0.1:1", None, 1).generate(GenerationRequest("a"), None))
    assert language_model(None, "tiny", 1) is None
