"""`api_call`: each document with what another server answers about it; hosts are listed, secrets stay in the vault."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, field_validator, model_validator

from mixpeek.errors import InvalidRequest
from mixpeek.filters.surface import MISSING
from mixpeek.retrieval.context import Context
from mixpeek.retrieval.narrowing import read_filter
from mixpeek.retrieval.outside import OutsideFailed
from mixpeek.retrieval.results import Flow, Result
from mixpeek.retrieval.stages.kind import StageKind, WrittenField
from mixpeek.retrieval.targets import Bound, Target
from mixpeek.retrieval.templates import names_of, render
from mixpeek.wire import WireModel

MOST_CALLS = 100
AT_ONCE = 8
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']+)'\]")


class Auth(WireModel):
    """How a request says who asks; the credential is a secret, named by `secret_ref`."""

    type: Literal["none", "api_key", "bearer", "basic", "custom_header"] = "none"
    secret_ref: str | None = Field(None, description="Name of the secret; of `basic`, it holds `user:password`.")
    location: Literal["header", "query"] = "header"
    key: str | None = Field(None, description="Name of the header or query parameter.")

    @model_validator(mode="after")
    def _is_whole(self) -> Auth:
        if self.type != "none" and not self.secret_ref:
            raise ValueError(f"`{self.type}` needs a `secret_ref`")
        if self.type in ("api_key", "custom_header") and not self.key:
            raise ValueError(f"`{self.type}` needs a `key`, the name of its header or parameter")
        return self


class Parameters(WireModel):
    """What to ask whom."""

    url: str = Field(min_length=1, description="As `https://api.example.com/items/{{DOC.sku}}`; values are escaped.")
    allowed_domains: list[str] = Field(
        min_length=1, max_length=50, description="Hosts that may be called; `*.example.com` names those below it."
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    auth: Auth | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    output_field: WrittenField = "metadata.api_response"
    timeout: float = Field(10.0, gt=0, le=60, description="Seconds.")
    max_response_size: int = Field(10 * 1024 * 1024, ge=1, le=50 * 1024 * 1024, description="Bytes.")
    rate_limit: dict[str, Any] | None = Field(None, description="Not served.")
    response_path: str | None = Field(None, description="Part of the answer, as `$.data.items[0]`.")
    when: dict[str, Any] | None = Field(None, description="Documents that do not pass this filter stay as they are.")
    on_error: Literal["skip", "remove", "raise"] = Field(
        "skip", description="A document whose call failed stays as it is, is left out, or fails all."
    )

    @field_validator("allowed_domains")
    @classmethod
    def _are_hosts(cls, value: list[str]) -> list[str]:
        for domain in value:
            if "*" in domain.removeprefix("*.") or "/" in domain or "." not in domain.removeprefix("*."):
                raise ValueError(f"{domain!r} is no host; write `api.example.com`, or `*.example.com` for all below it")
        return [domain.lower() for domain in value]

    @model_validator(mode="after")
    def _is_served(self) -> Parameters:
        if self.rate_limit is not None:
            raise ValueError("`rate_limit` is not served; put a `limit` before the stage")
        if self.response_path is not None:
            steps_of(self.response_path)
        return self


def check(parameters: Parameters, _targets: Sequence[Target], _bound: Bound) -> None:
    """Refuse an address outside the list at once, where it does not depend on a document."""
    if "{{" not in urlsplit(parameters.url).netloc:
        _check_host(parameters.url, parameters.allowed_domains)


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents with the answers, in their order."""
    results = context.results_of(flow)
    when = read_filter(parameters.when, context.inputs)
    chosen = [result for result in results if result.passes(when)]
    if len(chosen) > MOST_CALLS:
        context.warn(f"{context.stage_name} calls for {MOST_CALLS} documents at most; put a `limit` before it")
        chosen = chosen[:MOST_CALLS]
    secrets = {name: context.reveal(name) for name in _secrets_of(parameters)}
    context.reading.release()

    def ask(result: Result) -> Any:
        context.check_time()
        try:
            return _ask(parameters, context, result, secrets)
        except (OutsideFailed, InvalidRequest) as error:
            return error

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="api-call") as pool:
        under_way = [pool.submit(copy_context().run, ask, result) for result in chosen]
        answers = [each.result() for each in under_way]
    failed: dict[int, OutsideFailed | InvalidRequest] = {}
    for result, answer in zip(chosen, answers, strict=True):
        try:
            if isinstance(answer, OutsideFailed | InvalidRequest):
                raise answer
            result.write(parameters.output_field, answer)
        except (OutsideFailed, InvalidRequest) as error:
            failed[id(result)] = error
    context.metadata |= {"calls": len(chosen), "failed": len(failed)}
    if not failed:
        return results
    first = next(iter(failed.values()))
    if parameters.on_error == "raise":
        raise first
    context.warn(f"{context.stage_name}: {len(failed)} of {len(chosen)} calls failed; the first: {first.message}")
    return results if parameters.on_error == "skip" else [each for each in results if id(each) not in failed]


def _ask(parameters: Parameters, context: Context, result: Result, secrets: dict[str, str]) -> Any:
    document = result.wire()
    url = render(parameters.url, escaped(context.inputs), doc=escaped(document), context=context.about)
    _check_host(url, parameters.allowed_domains)
    headers = {"accept": "application/json"}
    headers |= {
        name.lower(): str(render(value, context.inputs, doc=document, secret=secrets))
        for name, value in parameters.headers.items()
    }
    body = None
    if parameters.body is not None and parameters.method != "GET":
        body = json.dumps(render(parameters.body, context.inputs, doc=document, secret=secrets)).encode()
        headers.setdefault("content-type", "application/json")
    if parameters.auth is not None and parameters.auth.secret_ref:
        url = _with_auth(parameters.auth, secrets[parameters.auth.secret_ref], url, headers)
    if any("\n" in value or "\r" in value for value in headers.values()):
        raise InvalidRequest("A header holds a line break", hint="Leave it out of the value that fills it")
    answer = context.tools.outside(
        parameters.method,
        url,
        headers,
        body,
        timeout_s=parameters.timeout,
        most_bytes=parameters.max_response_size,
    )
    if not 200 <= answer.status < 300:
        raise OutsideFailed(f"{urlsplit(url).hostname} answered {answer.status}")
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = answer.body.decode(errors="replace")
    return picked(value, parameters.response_path)


def _secrets_of(parameters: Parameters) -> set[str]:
    """Return the names of the secrets that are sent along."""
    named = names_of("secret", [parameters.headers, parameters.body])
    return named | ({parameters.auth.secret_ref} if parameters.auth and parameters.auth.secret_ref else set())


def _with_auth(auth: Auth, secret: str, url: str, headers: dict[str, str]) -> str:
    """Put the credential into the headers, or return the address with it."""
    if auth.type == "bearer":
        headers["authorization"] = f"Bearer {secret}"
    elif auth.type == "basic":
        headers["authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
    elif auth.type in ("api_key", "custom_header") and auth.key:
        if auth.type == "api_key" and auth.location == "query":
            parts = urlsplit(url)
            own = f"{quote(auth.key)}={quote(secret, safe='')}"
            return urlunsplit(parts._replace(query=f"{parts.query}&{own}" if parts.query else own))
        headers[auth.key.lower()] = secret
    return url


def _check_host(url: str, allowed: Sequence[str]) -> None:
    try:
        parts = urlsplit(url)
        host, _port = (parts.hostname or "").rstrip("."), parts.port  # of which one may not be a number
    except ValueError as error:
        raise InvalidRequest(f"{url!r} is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise InvalidRequest(f"{url!r} is no address to call", hint="Write `https://host/path`")
    if not is_allowed(host, allowed):
        raise InvalidRequest(f"{host} is not in `allowed_domains`", hint=f"There are: {', '.join(allowed)}")


def is_allowed(host: str, allowed: Sequence[str]) -> bool:
    """Tell whether a host is one that may be called."""
    return any(
        host == domain or (domain.startswith("*.") and host.endswith(domain[1:]) and host != domain[2:])
        for domain in allowed
    )


def escaped(value: Any) -> Any:
    """Return a JSON value whose texts can stand in an address, whatever they hold."""
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return quote(value, safe="") if isinstance(value, str) else value


def steps_of(path: str) -> list[str | int]:
    """Return the steps of `$.a.b[0]`; raise ValueError for another form."""
    rest = path.removeprefix("$")
    steps: list[str | int] = []
    at = 0
    if rest and rest[0] not in ".[":
        rest = f".{rest}"
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            raise ValueError(f"{path!r} is no path; write `$.data.items[0]`")
        steps.append(int(step[2]) if step[2] is not None else step[1] or step[3])
        at = step.end()
    return steps


def picked(value: Any, path: str | None) -> Any:
    """Return the part of an answer that a path leads to, None where it leads nowhere."""
    for step in steps_of(path) if path else ():
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else MISSING
        else:
            value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
        if value is MISSING:
            return None
    return value


KIND = StageKind(
    "api_call",
    "apply",
    "Add what another server answers about each document",
    Parameters,
    run,
    check,
    per_document=frozenset({"url", "headers", "body"}),
    icon="external-link",
)
