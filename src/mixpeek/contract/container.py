"""What `container` gives to build_steps, processors and handlers: secrets, a language model.

Whatever is asked for here is answered by the platform, under the rights of the namespace that the plugin works for; a
plugin needs no network for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from mixpeek.contract import asking

MOST_AT_ONCE = 4
"""Generations of one `process` that run at once."""


class SecretUnavailable(LookupError):
    """A secret cannot be read here; `code` says why, as `not_granted` or `not_found`, the message who can grant it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class LlmUnavailable(RuntimeError):
    """The language model did not answer; `code` says why, as `not_configured` or `timed_out`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class InferenceUnavailable(RuntimeError):
    """`container.inference` belongs to an earlier platform."""


class Generated(str):
    """What a language model wrote, a string; with the model's name and the tokens it counted, as it told them."""

    __slots__ = ("model", "usage")

    model: str
    usage: dict[str, int]

    def __new__(cls, text: str, model: str = "", usage: Mapping[str, int] | None = None) -> Generated:
        generated = super().__new__(cls, text)
        generated.model = model
        generated.usage = dict(usage or {})
        return generated

    @property
    def text(self) -> str:
        """The text alone."""
        return str(self)


class Secrets:
    """The secrets that are granted to the namespace this plugin works for."""

    async def get(self, name: str) -> str:
        """Return a secret's value, as it is now.

        Raises: SecretUnavailable: there is none of this name, or it is not granted; the message says how to grant it.
        """
        answer = await _ask("secret.get", {"name": name}, _no_secret)
        return str(answer["value"])

    async def list(self) -> list[str]:
        """Return the names of the secrets that `get` returns, in order."""
        answer = await _ask("secret.list", {}, _no_secret)
        return [str(name) for name in answer["names"]]


class Llm:
    """The language model that the operator configured."""

    @property
    def service(self) -> Llm:
        """The same; an older way to reach it."""
        return self

    async def generate(
        self,
        prompt: str,
        *,
        system: str | None = None,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        response_format: Mapping[str, Any] | None = None,
    ) -> Generated:
        """Return what the model writes to `prompt`.

        Args:
            prompt: what is asked; with its options 512 KiB at most.
            system: what it is told of its task beforehand.
            model: another one than the operator's default, if the service has it.
            temperature: 0 to 2.
            max_tokens: most tokens it may write.
            response_format: as the service takes it, as in `{"type": "json_object"}`.

        Raises: LlmUnavailable: none is configured, it refuses, or it takes too long.
        """
        wanted = {
            "prompt": prompt,
            "system": system,
            "model": model,
            "temperature": temperature,
            "max_tokens": max_tokens,
            "response_format": None if response_format is None else dict(response_format),
        }
        body = json.dumps({key: value for key, value in wanted.items() if value is not None}, allow_nan=False).encode()
        answer = await _ask("llm.generate", {}, _no_llm, body)
        return Generated(str(answer["text"]), str(answer["model"]), answer["usage"])

    async def process(self, items: Iterable[str], prompt: str = "", **options: Any) -> list[Generated]:
        """Return what the model writes to each item, in order, a few at once.

        Args:
            items: the prompts.
            prompt: what it is told of its task beforehand, as `system` of `generate`.
            options: those of `generate`.

        Raises: LlmUnavailable: as `generate`; the calls under way are cancelled then.
        """
        import asyncio  # a third of a host's start, for the few plugins that need it

        gate = asyncio.Semaphore(MOST_AT_ONCE)

        async def one(item: str) -> Generated:
            async with gate:
                return await self.generate(item, **{"system": prompt or None, **options})

        calls = [asyncio.ensure_future(one(item)) for item in items]
        try:
            return list(await asyncio.gather(*calls))
        finally:
            for call in calls:
                call.cancel()


class Inference:
    """A name of an earlier platform; asking it says what took its place."""

    def get(self, service_id: str) -> NoReturn:
        """Raise InferenceUnavailable."""
        raise InferenceUnavailable(
            f"container.inference.get({service_id!r}) is not available: a plugin cannot call another one. Load the"
            " model in this plugin with engine.models.load_hf_model, named under `models` in manifest.py"
        )


class Container:
    """What build_steps gets as `container`, and processors and handlers whose constructors name it."""

    def __init__(self) -> None:
        self.secrets = Secrets()
        self.llm = Llm()
        self.inference = Inference()

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"container has no {name}; it has secrets, llm and inference")


def _no_secret(refused: asking.Refused) -> SecretUnavailable:
    return SecretUnavailable(refused.reason, refused.code)


def _no_llm(refused: asking.Refused) -> LlmUnavailable:
    return LlmUnavailable(refused.reason, refused.code)


async def _ask(what: str, fields: Mapping[str, Any], error_from: Any, body: bytes = b"") -> Any:
    import asyncio  # as in `process`

    try:
        answer, _ = await asyncio.to_thread(asking.ask, what, fields, body)
    except asking.Refused as refused:
        raise error_from(refused) from None
    return answer
