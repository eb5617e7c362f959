"""What a webhook may be made of: bodies of requests, checked field by field."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from mixpeek.execution.egress.heads import is_name
from mixpeek.webhooks.event_types import fault_of_pattern
from mixpeek.wire import WireModel

LONGEST_TIMEOUT_S = 30.0
# Documented, and not delivered by this server.
REFUSED_CHANNELS = ("email", "slack")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]{0,4000}[\x21-\x7e])?")
# Ours to set, or about the connection, which is not the caller's.
_OUR_HEADERS = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "date", "expect", "host", "keep-alive", "te"}
    | {"trailer", "transfer-encoding", "upgrade", "user-agent"}
)


def _checked_url(url: str) -> str:
    fault = _fault_of_url(url)
    if fault:
        raise PydanticCustomError("url", "This URL cannot be delivered to: {fault}", {"fault": fault})
    return url


def _fault_of_url(url: str) -> str | None:
    if not url.isascii() or not url.isprintable() or " " in url:
        return "it holds characters that a URL must escape"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    faults = {
        "it must begin with `https://` or `http://`": parts.scheme not in ("http", "https"),
        "user and password do not belong into it; send them in `headers`, as `Authorization`": "@" in parts.netloc,
        "what follows `#` is never sent": "#" in url,
        "it names no host": not parts.hostname or not (":" in parts.hostname or is_name(parts.hostname)),
        "its port is 0": port == 0,
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


def _checked_headers(headers: dict[str, str] | None) -> dict[str, str] | None:
    seen = set()
    for name, value in (headers or {}).items():
        if not _HEADER_NAME.fullmatch(name):
            raise PydanticCustomError("header", "{name} is not a header's name", {"name": repr(name)})
        if name.lower() in _OUR_HEADERS or name.lower().startswith(("mixpeek-", "proxy-")):
            raise PydanticCustomError("header", "The header {name} is set by the server", {"name": name})
        if name.lower() in seen:
            raise PydanticCustomError("header", "The header {name} is given twice", {"name": name})
        if not _HEADER_VALUE.fullmatch(value):
            raise PydanticCustomError("header", "The value of {name} is not printable ASCII", {"name": name})
        seen.add(name.lower())
    return headers


def _checked_pattern(pattern: str) -> str:
    fault = fault_of_pattern(pattern)
    if fault:
        raise PydanticCustomError("unknown_event_type", "{fault}", {"fault": fault})
    return pattern


Url = Annotated[str, Field(max_length=2048), AfterValidator(_checked_url)]
Secret = Annotated[
    SecretStr, Field(min_length=16, max_length=256, description="Signs deliveries; one is made if unset.")
]


class WebhookConfigs(WireModel):
    url: Url = Field(description="Where events are sent by POST.")
    headers: Annotated[dict[str, str] | None, AfterValidator(_checked_headers)] = Field(
        None, max_length=20, description="Sent along; their values are kept encrypted and shown as `[hidden]`."
    )
    payload_template: None = Field(None, description="Not supported: receivers are sent what was signed, as JSON.")
    timeout: float = Field(10, gt=0, le=LONGEST_TIMEOUT_S, description="Seconds one attempt may take in all.")
    secret: Secret | None = None


class WebhookChannel(WireModel):
    channel: Literal["webhook"]
    configs: WebhookConfigs

    @model_validator(mode="before")
    @classmethod
    def _refuse_other_channels(cls, given: Any) -> Any:
        """Refuse a documented channel by its name, before its configs are taken for a webhook's."""
        if isinstance(given, dict) and given.get("channel") in REFUSED_CHANNELS:
            raise PydanticCustomError(
                "channel",
                "This server does not deliver to the channel `{name}`; use `webhook` with a URL that forwards it",
                {"name": given["channel"]},
            )
        return given


Name = Annotated[str, Field(min_length=1, max_length=200)]
EventTypes = Annotated[
    list[Annotated[str, AfterValidator(_checked_pattern)]],
    Field(min_length=1, max_length=100, description="Event types, and patterns such as `batch.*` and `*`."),
]
Channels = Annotated[list[WebhookChannel], Field(min_length=1, max_length=10)]
Namespaces = Annotated[
    list[str] | None,
    Field(min_length=1, max_length=1000, description="Ids or names of the only ones it is told of; null means all."),
]


class CreateWebhook(WireModel):
    webhook_name: Name
    event_types: EventTypes
    channels: Channels
    is_active: bool = True
    namespaces: Namespaces = None
    webhook_id: None = Field(None, description="The server's to give.")
    internal_id: None = Field(None, description="The server's to give.")
    created_at: None = Field(None, description="The server's to give.")
    updated_at: None = Field(None, description="The server's to give.")


class ReplaceWebhook(WireModel):
    """All of a webhook; what the server has given may stand in it, unchanged."""

    webhook_name: Name
    event_types: EventTypes
    channels: Channels
    is_active: bool = True
    namespaces: Namespaces = None
    webhook_id: str | None = Field(None, description="As it is.")
    internal_id: None = Field(None, description="The server's to give.")
    created_at: AwareDatetime | None = Field(None, description="As it is.")
    updated_at: datetime | None = Field(
        None, description="As it was read; refused with 409 if the webhook was changed since."
    )


class ChangeWebhook(WireModel):
    """Leave out what is to stay."""

    webhook_name: Name | None = None
    event_types: EventTypes | None = None
    channels: Channels | None = None
    is_active: bool | None = Field(None, description="true also enables endpoints that were disabled.")
    namespaces: Namespaces = None


class RotateSecret(WireModel):
    endpoint_id: str | None = Field(None, description="Which of the webhook's, where it has several.")
    overlap_s: int = Field(
        86_400, ge=0, le=30 * 86_400, description="How long the secret before signs as well; 0 ends it now."
    )
    secret: Secret | None = None


class ListWebhooks(WireModel):
    event_type: str | None = Field(None, description="Only those that are told of this type.")
    is_active: bool | None = None
