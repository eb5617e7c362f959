"""What processors and handlers are handed besides their rows: a container, a progress actor; and batch services."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from engine.inference.services import BaseBatchInferenceService as FirstHome
from mixpeek.contract.container import Container, Generated, InferenceUnavailable, LlmUnavailable, SecretUnavailable
from mixpeek.contract.inference import ServiceUnknown
from mixpeek.contract.progress import INTERVAL_S, ProgressActor
from mixpeek.host.loader import construct
from shared.inference.registry import get_batch_service
from shared.plugins.inference.batch import BaseBatchInferenceService


def test_without_a_platform_each_accessor_says_what_is_missing() -> None:
    container = Container()

    with pytest.raises(SecretUnavailable, match="no platform"):
        asyncio.run(container.secrets.get("KEY"))
    with pytest.raises(LlmUnavailable, match="no platform"):
        asyncio.run(container.llm.service.generate("Hello"))
    with pytest.raises(InferenceUnavailable, match="load_hf_model"):
        container.inference.get("some-model")
    with pytest.raises(AttributeError, match="container has no cache; it has secrets, llm and inference"):
        container.cache  # noqa: B018


def test_a_prompt_longer_than_a_question_may_be_is_refused_before_it_is_sent() -> None:
    with pytest.raises(LlmUnavailable) as refused:
        asyncio.run(Container().llm.generate("x" * 600_000))

    assert refused.value.code in {"too_large", "unavailable"}


def test_what_a_model_wrote_is_a_string_that_knows_its_tokens() -> None:
    written = Generated("Hello", "tiny", {"total_tokens": 3})

    assert written == "Hello"
    assert (written.text, written.model, written.usage) == ("Hello", "tiny", {"total_tokens": 3})


def test_processors_get_what_their_constructors_name() -> None:
    class Processor:
        def __init__(self, config: Any, progress_actor: Any = None, container: Any = None) -> None:
            self.given = (config, progress_actor, container)

    config, progress, container = construct(Processor, {"k": 1}).given

    assert config == {"k": 1}
    assert isinstance(progress, ProgressActor)
    assert isinstance(container, Container)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_told_now_and_then_in_every_style(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    actor = ProgressActor("Words", clock)

    with caplog.at_level(logging.INFO, "mixpeek.progress"):
        actor.update(10)
        actor.update.remote(5)
        actor.report_progress.remote("task", completed=5)
        clock.now = INTERVAL_S
        actor.increment()
        actor.set_progress(100)

    assert [record.getMessage() for record in caplog.records] == ["Words: 21 done"]
    assert actor.done == 100


@pytest.mark.parametrize(
    "value", [None, "all", float("nan"), float("inf"), pytest.param(10**400, id="huge"), object(), True]
)
def test_no_report_of_progress_ever_fails(value: Any) -> None:
    actor = ProgressActor("Words", Clock())

    async def report() -> None:
        await actor.update.remote(value, of=value)

    actor.anything(value)
    asyncio.run(report())

    assert actor.done == 2


def test_a_batch_service_is_found_by_its_class_or_its_service_name() -> None:
    class Lengths(BaseBatchInferenceService):
        service_name = "text/lengths"

    assert FirstHome is BaseBatchInferenceService
    assert get_batch_service("Lengths") is Lengths
    assert get_batch_service("text/lengths") is Lengths
    with pytest.raises(ServiceUnknown, match=r"no batch service 'other'.*Lengths"):
        get_batch_service("other")
