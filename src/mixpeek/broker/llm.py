"""A language model behind HTTP: any service that speaks OpenAI's chat completions.

The platform makes the call, not the plugin: a plugin needs no network and never sees the key.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from mixpeek.contract.asking import Refused
from mixpeek.execution.asks.port import Generation, GenerationRequest

if TYPE_CHECKING:
    import httpx

# Answers beyond this are no text that a row could hold.
MOST_ANSWER_BYTES = 4 * 1024**2
# Calls of one process that are under way at once; more wait, within their time limit.
AT_ONCE = 32
_MOST_SAID = 300

NOT_CONFIGURED = (
    "no language model is configured. An operator sets MIXPEEK_LLM_URL to an OpenAI-compatible endpoint, as in"
    " https://api.openai.com/v1, and MIXPEEK_LLM_MODEL to a model of it"
)


class LanguageModel(Protocol):
    """Writes text; raises contract.asking.Refused."""

    async def generate(self, request: GenerationRequest, key: str | None) -> Generation:
        """Return what the model writes; `key` authenticates at the service."""


def language_model(url: str | None, model: str | None, timeout_s: float) -> HttpLanguageModel | None:
    """Return the language model of the settings `MIXPEEK_LLM_*`, None where there is none."""
    return HttpLanguageModel(url, model, timeout_s) if url else None


class HttpLanguageModel:
    """Chat completions at `url`; see the settings `MIXPEEK_LLM_*`."""

    def __init__(self, url: str, model: str | None, timeout_s: float) -> None:
        self._address = f"{url.rstrip('/')}/chat/completions"
        self._model = model
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(AT_ONCE)
        self._client: httpx.AsyncClient | None = None

    async def generate(self, request: GenerationRequest, key: str | None) -> Generation:
        """Return what the model writes; raise Refused."""
        import httpx  # slow to load; a server without a language model does without

        model = request.model or self._model
        if model is None:
            raise Refused("not_configured", "no model is named: pass `model`, or have MIXPEEK_LLM_MODEL set")
        self._client = self._client or await asyncio.to_thread(_make_client, self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s), self._places:
                return _generation_from(await self._post(_payload(request, model), key), model)
        except (TimeoutError, httpx.TimeoutException):
            limit = f"{self._timeout_s:g} s (MIXPEEK_LLM_TIMEOUT_S)"
            raise Refused("timed_out", f"the language model did not answer within {limit}") from None
        except httpx.HTTPError as error:
            raise Refused("unavailable", f"the language model cannot be reached: {type(error).__name__}") from None

    async def _post(self, payload: dict[str, Any], key: str | None) -> Any:
        import httpx

        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        assert self._client is not None
        async with self._client.stream("POST", self._address, json=payload, headers=headers) as response:
            content = await _read(response)
        if response.status_code != HTTPStatus.OK:
            raise _refusal(response.status_code, content, key)
        try:
            return httpx.Response(200, content=content).json()
        except ValueError:
            raise _unreadable() from None


def _make_client(timeout_s: float) -> httpx.AsyncClient:
    import httpx

    # Made once: reading the certificates takes longer than many a call. Connections are not kept: an idle one is often
    # closed by the time it is used again, and what a model takes hides the greeting.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(timeout=timeout_s, limits=limits, follow_redirects=False)


async def _read(response: httpx.Response) -> bytes:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > MOST_ANSWER_BYTES:
            raise Refused("too_large", f"the language model answered with more than {MOST_ANSWER_BYTES:,} bytes")
    return bytes(content)


def _payload(request: GenerationRequest, model: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": request.prompt}]
    if request.system is not None:
        messages.insert(0, {"role": "system", "content": request.system})
    options = {
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "response_format": None if request.response_format is None else dict(request.response_format),
    }
    chosen = {name: value for name, value in options.items() if value is not None}
    return {"model": model, "messages": messages, "stream": False, **chosen}


def _generation_from(answer: Any, model: str) -> Generation:
    try:
        text = answer["choices"][0]["message"]["content"]
        counted = answer.get("usage") or {}
        named = answer.get("model") or model
        usage = {name: count for name, count in counted.items() if isinstance(count, int)}
    except (KeyError, IndexError, TypeError, AttributeError):
        raise _unreadable() from None
    if not isinstance(text, str) or not isinstance(named, str):
        raise _unreadable()
    return Generation(text, named, usage)


def _refusal(status: int, content: bytes, key: str | None) -> Refused:
    said = content[: 4 * _MOST_SAID].decode("utf-8", "replace")
    if key:
        said = said.replace(key, "***")
    words = "".join(c if c.isprintable() else " " for c in said)[:_MOST_SAID].strip()
    is_passing = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    told = f"the language model's service answered {status}" + (f": {words}" if words else "")
    return Refused("unavailable" if is_passing else "invalid", told)


def _unreadable() -> Refused:
    return Refused("unavailable", "the language model's service did not answer as chat completions do")
