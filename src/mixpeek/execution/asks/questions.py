"""Reads one question of a host, which is foreign, and has the broker answer it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mixpeek.contract.asking import READ_BYTES, Refused
from mixpeek.execution.asks.port import Broker, GenerationRequest
from mixpeek.host.frames import decode_strict

_MOST_URL = 2048
_MOST_NAME = 200
_MOST_TOKENS = 1_000_000

Fields = Mapping[str, Any]
Answer = tuple[Any, bytes]


async def answer(broker: Broker, namespace_id: str | None, fields: Fields, body: bytes) -> Answer:
    """Return the answer as a value that JSON can say, and bytes; raise Refused."""
    what = fields.get("ask")
    carry_out = _QUESTIONS.get(what) if isinstance(what, str) else None
    if carry_out is None:
        raise Refused("invalid", "the platform does not know this question")
    if body and what != "llm.generate":
        raise Refused("invalid", "this question has no body")
    return await carry_out(broker, namespace_id, fields, body)


async def _stat(broker: Broker, namespace_id: str | None, fields: Fields, _: bytes) -> Answer:
    return {"size_bytes": await broker.asset_size(namespace_id, _text(fields, "url", _MOST_URL))}, b""


async def _read(broker: Broker, namespace_id: str | None, fields: Fields, _: bytes) -> Answer:
    url = _text(fields, "url", _MOST_URL)
    offset, size = _count(fields, "offset", 2**53), _count(fields, "size", READ_BYTES)
    return {}, await broker.read_asset(namespace_id, url, offset, size) if size else b""


async def _secret(broker: Broker, namespace_id: str | None, fields: Fields, _: bytes) -> Answer:
    return {"value": await broker.secret(namespace_id, _text(fields, "name", _MOST_NAME))}, b""


async def _secrets(broker: Broker, namespace_id: str | None, _: Fields, __: bytes) -> Answer:
    return {"names": await broker.list_secrets(namespace_id)}, b""


async def _generate(broker: Broker, namespace_id: str | None, _: Fields, body: bytes) -> Answer:
    made = await broker.generate(namespace_id, request_from(body))
    return {"text": made.text, "model": made.model, "usage": dict(made.usage)}, b""


_QUESTIONS: dict[str, Callable[[Broker, str | None, Fields, bytes], Awaitable[Answer]]] = {
    "asset.stat": _stat,
    "asset.read": _read,
    "secret.get": _secret,
    "secret.list": _secrets,
    "llm.generate": _generate,
}


def request_from(body: bytes) -> GenerationRequest:
    """Return the request in the body of a question to a language model; raise Refused."""
    try:
        fields = decode_strict(body)
    except (ValueError, RecursionError):
        raise Refused("invalid", "the request is not JSON") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("prompt"), str):
        raise Refused("invalid", "the prompt is not a string")
    unknown = set(fields) - set(GenerationRequest.__dataclass_fields__)
    if unknown:
        raise Refused("invalid", f"{sorted(unknown)[0]} is not an option of generate")
    for name in ("system", "model"):
        if not isinstance(fields.get(name, ""), str):
            raise Refused("invalid", f"{name} is not a string")
    if not isinstance(fields.get("response_format", {}), dict):
        raise Refused("invalid", "response_format is not an object")
    temperature, most = fields.get("temperature", 0.0), fields.get("max_tokens", 1)
    if not _is_number(temperature) or not 0 <= temperature <= 2:
        raise Refused("invalid", "temperature is not a number from 0 to 2")
    if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= _MOST_TOKENS:
        raise Refused("invalid", f"max_tokens is not a whole number from 1 to {_MOST_TOKENS:,}")
    return GenerationRequest(**fields)


def _text(fields: Fields, name: str, most: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or "\0" in value or not value.isprintable():
        raise Refused("invalid", f"{name} is not plain text")
    if len(value) > most:
        raise Refused("too_large", f"{name} has {len(value):,} characters, {most:,} are allowed")
    return value


def _count(fields: Fields, name: str, most: int) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Refused("invalid", f"{name} is not a whole number from 0 to {most:,}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
