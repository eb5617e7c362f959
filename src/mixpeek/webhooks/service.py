"""Making and changing webhooks, their secrets, and sending an event once more; the sending itself is `delivery`."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import psycopg
from pydantic import SecretStr

from mixpeek.db.pool import Connection, new_id
from mixpeek.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from mixpeek.execution.egress.addresses import Address
from mixpeek.execution.egress.dial import is_own, resolve_name
from mixpeek.execution.egress.heads import Destination
from mixpeek.execution.egress.policy import EgressPolicy, Refused, exemptions_from
from mixpeek.logging import hide
from mixpeek.secrets.service import Vault
from mixpeek.tenancy.quotas import QuotaExceeded
from mixpeek.tenancy.service import get_namespace
from mixpeek.webhooks import queries
from mixpeek.webhooks.models import HIDDEN, Delivery, Endpoint, Event, Keys, Webhook
from mixpeek.webhooks.schemas import (
    ChangeWebhook,
    CreateWebhook,
    ReplaceWebhook,
    RotateSecret,
    WebhookChannel,
    WebhookConfigs,
)
from mixpeek.webhooks.signing import new_secret

ALLOW_VARIABLE = "MIXPEEK_WEBHOOK_ALLOW"
MOST_WEBHOOKS = 100

Secrets = dict[str, str]
"""Secrets to show this once, by endpoint id."""


def policy_from(allowed: str) -> EgressPolicy:
    """Return which addresses deliveries may reach: public ones, and what the setting allows; raise SettingInvalid."""
    return EgressPolicy(exemptions=exemptions_from(allowed, ALLOW_VARIABLE))


def destination_of(url: str) -> Destination:
    """Return where a URL that was checked leads to."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Destination(parts.hostname.lower().rstrip("."), port)


def get_webhook(connection: Connection, organization_id: str, identifier: str, *, lock: bool = False) -> Webhook:
    """Return the webhook with this id or name."""
    found = queries.find_webhook(connection, organization_id, identifier, lock=lock)
    if found is None:
        raise NotFound("webhook", identifier, hint="`mixpeek webhook list` shows every one")
    return found


def get_delivery(connection: Connection, webhook: Webhook, delivery_id: str) -> tuple[Delivery, Event]:
    """Return a delivery and what it carries."""
    found = queries.find_delivery(connection, webhook.webhook_id, delivery_id)
    event = None if found is None else queries.find_event(connection, found.event_id)
    if found is None or event is None:
        raise NotFound("delivery", delivery_id, hint=f"`mixpeek webhook deliveries {webhook.webhook_id}` lists them")
    return found, event


def replay(connection: Connection, webhook: Webhook, delivery_id: str) -> Delivery:
    """Send the event of a delivery once more, under its own id; return the new delivery.

    Raises: Conflict: the endpoint is disabled, or the delivery has not ended.
    """
    found, _ = get_delivery(connection, webhook, delivery_id)
    endpoint = next(each for each in webhook.endpoints if each.endpoint_id == found.endpoint_id)
    if endpoint.disabled_at is not None:
        raise Conflict(
            f"The endpoint {endpoint.url} is disabled: {endpoint.disabled_reason}",
            hint=f"Repair it, then enable it: PATCH /v1/organizations/webhooks/{webhook.webhook_id}"
            ' with {"is_active": true}',
        )
    if found.state == "pending":
        raise Conflict(f"Delivery {delivery_id} has not ended; it is tried again by itself", hint="Wait until it ends")
    return get_delivery(connection, webhook, queries.insert_replay(connection, delivery_id))[0]


def ping(connection: Connection, webhook: Webhook) -> list[Delivery]:
    """Send a `webhook.ping` to every endpoint, disabled ones too; raise Conflict where the webhook is paused."""
    if not webhook.is_active:
        raise Conflict(f"Webhook {webhook.webhook_name!r} is not active", hint="Set `is_active` to true, then test it")
    made = queries.insert_ping(connection, webhook)
    return [get_delivery(connection, webhook, each)[0] for each in made]


class Webhooks:
    """Changes of webhooks; each call runs in the caller's transaction."""

    def __init__(self, vault: Vault, policy: EgressPolicy) -> None:
        self._vault = vault
        self.policy = policy

    def create(self, connection: Connection, organization_id: str, body: CreateWebhook) -> tuple[Webhook, Secrets]:
        """Make a webhook; return it with the secrets that were made for it.

        Raises: AlreadyExists. QuotaExceeded. NotFound: no such namespace. InvalidRequest: an address nobody may reach.
        """
        held = queries.count_webhooks(connection, organization_id)
        if held >= MOST_WEBHOOKS:
            raise QuotaExceeded(
                f"This organization has {held} webhooks, its limit", hint="Delete those that are not needed",
                resource="webhooks", current=held, limit=MOST_WEBHOOKS, tier=None,
            )  # fmt: skip
        webhook_id = new_id("wh")
        row = {
            "webhook_id": webhook_id,
            "organization_id": organization_id,
            "webhook_name": body.webhook_name,
            "event_types": _distinct(body.event_types),
            "namespaces": _namespaces(connection, organization_id, body.namespaces),
            "is_active": body.is_active,
        }
        if not queries.insert_webhook(connection, row):
            raise _taken(body.webhook_name)
        secrets = self._set_channels(connection, get_webhook(connection, organization_id, webhook_id), body.channels)
        return get_webhook(connection, organization_id, webhook_id), secrets

    def replace(
        self, connection: Connection, organization_id: str, identifier: str, body: ReplaceWebhook
    ) -> tuple[Webhook, Secrets]:
        """Set every field of a webhook; raise Conflict where it was changed since `updated_at`."""
        now = get_webhook(connection, organization_id, identifier, lock=True)
        if body.webhook_id not in (None, now.webhook_id):
            raise InvalidRequest(f"The webhook's id is {now.webhook_id}", hint="Leave `webhook_id` out")
        if body.created_at not in (None, now.created_at):
            raise InvalidRequest("When a webhook was made does not change", hint="Leave `created_at` out")
        read_at = body.updated_at
        if read_at is not None and (read_at if read_at.tzinfo else read_at.replace(tzinfo=UTC)) != now.updated_at:
            raise Conflict("The webhook was changed since it was read", hint="Read it again, or leave `updated_at` out")
        is_enabled = "is_active" in body.model_fields_set and body.is_active
        changed = replace(now, is_active=body.is_active)
        return self._change(connection, now, changed, body, given=set(type(body).model_fields), enable=is_enabled)

    def change(
        self, connection: Connection, organization_id: str, identifier: str, body: ChangeWebhook
    ) -> tuple[Webhook, Secrets]:
        """Set the fields of a webhook that are given.

        Raises: InvalidRequest: none is, or one is null that cannot be.
        """
        given = body.model_fields_set
        if not given:
            raise InvalidRequest("There is nothing to change", hint=f"Send {', '.join(ChangeWebhook.model_fields)}")
        for name in given - {"namespaces"}:
            if getattr(body, name) is None:
                raise InvalidRequest(f"`{name}` cannot be null", hint="Leave it out, and it stays as it is")
        now = get_webhook(connection, organization_id, identifier, lock=True)
        is_active = now.is_active if body.is_active is None else body.is_active
        changed = replace(now, is_active=is_active)
        return self._change(connection, now, changed, body, given=given, enable=body.is_active is True)

    def delete(self, connection: Connection, organization_id: str, identifier: str) -> None:
        """Delete a webhook with its deliveries; what is under way may still arrive."""
        now = get_webhook(connection, organization_id, identifier, lock=True)
        for endpoint in now.endpoints:
            self._vault.forget_own(connection, organization_id, endpoint.vault_name)
        queries.delete_webhook(connection, now.webhook_id)

    def rotate_secret(
        self, connection: Connection, organization_id: str, identifier: str, body: RotateSecret
    ) -> tuple[Webhook, Secrets]:
        """Give an endpoint another secret; the one before signs as well until the overlap ends."""
        webhook = get_webhook(connection, organization_id, identifier, lock=True)
        endpoint = _chosen(webhook, body.endpoint_id)
        keys = self.keys_of(connection, webhook.organization_id, endpoint)
        secret, made = _secret(body.secret)
        # Never more than two: who rotates twice within the overlap means the first one to end.
        kept = keys.secrets[:1] if body.overlap_s else []
        self._keep(connection, webhook, endpoint.endpoint_id, Keys([secret, *kept], keys.headers))
        queries.set_old_secret_end(connection, endpoint.endpoint_id, body.overlap_s)
        return get_webhook(connection, organization_id, webhook.webhook_id), (
            {endpoint.endpoint_id: secret} if made else {}
        )

    def keys_of(self, connection: Connection, organization_id: str, endpoint: Endpoint) -> Keys:
        """Return the secrets and the headers of an endpoint; raise NotFound where it is gone, or as the vault does."""
        return Keys.parse(self._vault.reveal_own(connection, organization_id, endpoint.vault_name))

    # ------------------------------------------------------------------------------------------------------------------

    def _change(
        self,
        connection: Connection,
        now: Webhook,
        changed: Webhook,
        body: ReplaceWebhook | ChangeWebhook,
        *,
        given: Collection[str],
        enable: bool,
    ) -> tuple[Webhook, Secrets]:
        if "webhook_name" in given and body.webhook_name is not None:
            changed = replace(changed, webhook_name=body.webhook_name)
        if "event_types" in given and body.event_types is not None:
            changed = replace(changed, event_types=_distinct(body.event_types))
        if "namespaces" in given:
            changed = replace(changed, namespaces=_namespaces(connection, now.organization_id, body.namespaces))
        try:
            queries.update_webhook(connection, changed)
        except psycopg.errors.UniqueViolation:
            raise _taken(changed.webhook_name) from None
        secrets = {}
        if "channels" in given and body.channels is not None:
            secrets = self._set_channels(connection, now, body.channels)
        if enable:
            queries.enable_endpoints(connection, [each.endpoint_id for each in now.endpoints])
        queries.wake(connection)
        return get_webhook(connection, now.organization_id, now.webhook_id), secrets

    def _set_channels(self, connection: Connection, webhook: Webhook, channels: Sequence[WebhookChannel]) -> Secrets:
        """Have a webhook these endpoints; return the secrets that were made.

        An endpoint is known by its URL. What is left on both sides is taken for a change of URL, in order, so that a
        webhook that moves keeps its secret and what waits for it.
        """
        wanted = [channel.configs for channel in channels]
        urls = [configs.url for configs in wanted]
        for url in urls:
            self.check_url(url)
        if len(set(urls)) < len(urls):
            raise InvalidRequest("Two channels have the same URL", hint="One is enough: each event is sent to it once")
        known = {endpoint.url: endpoint for endpoint in webhook.endpoints if endpoint.url in urls}
        moving = iter([endpoint for endpoint in webhook.endpoints if endpoint.url not in urls])
        made = {}
        for place, configs in enumerate(wanted):
            endpoint = known.get(configs.url) or next(moving, None)
            endpoint_id = endpoint.endpoint_id if endpoint else new_id("whe")
            row = {
                "endpoint_id": endpoint_id,
                "webhook_id": webhook.webhook_id,
                "place": place,
                "url": configs.url,
                "header_names": list(configs.headers or ()),
                "timeout_s": configs.timeout,
            }
            if endpoint is None:
                queries.insert_endpoint(connection, row)
                secret, is_new = _secret(configs.secret)
                keys = Keys([secret], _headers(configs, {}))
                made.update({endpoint_id: secret} if is_new else {})
            else:
                queries.update_endpoint(connection, row)
                if endpoint.url != configs.url:
                    queries.enable_endpoints(connection, [endpoint_id])
                before = self.keys_of(connection, webhook.organization_id, endpoint)
                given = None if configs.secret is None else [_secret(configs.secret)[0]]
                keys = Keys(given or before.secrets, _headers(configs, before.headers))
            self._keep(connection, webhook, endpoint_id, keys)
        for endpoint in moving:
            queries.delete_endpoint(connection, endpoint.endpoint_id)
            self._vault.forget_own(connection, webhook.organization_id, endpoint.vault_name)
        return made

    def _keep(self, connection: Connection, webhook: Webhook, endpoint_id: str, keys: Keys) -> None:
        self._vault.keep_own(connection, webhook.organization_id, f"webhook:{endpoint_id}", keys.json())

    def check_url(self, url: str) -> None:
        """Refuse at once an address that no delivery would reach; what a name leads to is judged at each delivery."""
        destination = destination_of(url)
        try:
            addresses = _known_addresses(destination.host)
            self.policy.choose(destination, addresses, [each for each in addresses if is_own(each)])
        except Refused as refused:
            raise InvalidRequest(
                f"Deliveries to {url} are refused: {refused}",
                hint=f"Name a public address, or have the operator allow this one: {ALLOW_VARIABLE}={destination}",
            ) from refused


def live_secrets(endpoint: Endpoint, keys: Keys, now: datetime) -> list[str]:
    """Return the secrets that sign at this moment."""
    has_ended = endpoint.old_secret_ends is None or endpoint.old_secret_ends <= now
    return keys.secrets[:1] if has_ended else keys.secrets


def _known_addresses(host: str) -> Sequence[Address]:
    """Return the address that a URL holds in digits, in whatever spelling, or that this machine has; else none."""
    try:
        return [ip_address(host)]
    except ValueError:
        is_number = host.replace(".", "").removeprefix("0x").isalnum() and host.rpartition(".")[2][:1].isdigit()
        try:
            return resolve_name(host) if host == "localhost" or is_number else []
        except (socket.gaierror, UnicodeError):
            return []


def _secret(given: SecretStr | None) -> tuple[str, bool]:
    """Return the secret that was given, or one made now, and whether it was made."""
    text = new_secret() if given is None else given.get_secret_value()
    hide(text)
    return text, given is None


def _headers(configs: WebhookConfigs, before: Mapping[str, str]) -> dict[str, str]:
    kept = {}
    for name, value in (configs.headers or {}).items():
        if value == HIDDEN and name not in before:
            raise InvalidRequest(
                f"There is no value kept for the header {name}, so `{HIDDEN}` stands for nothing", hint="Send its value"
            )
        kept[name] = before[name] if value == HIDDEN else value
    return kept


def _chosen(webhook: Webhook, endpoint_id: str | None) -> Endpoint:
    found = [each for each in webhook.endpoints if endpoint_id in (None, each.endpoint_id)]
    if not found:
        raise NotFound("endpoint", str(endpoint_id), hint="The webhook's `channels` show the ids of its endpoints")
    if len(found) > 1:
        raise InvalidRequest(
            f"The webhook has {len(found)} endpoints, each with a secret of its own", hint="Send `endpoint_id`"
        )
    return found[0]


def _distinct(patterns: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(patterns))


def _namespaces(connection: Connection, organization_id: str, given: Sequence[str] | None) -> list[str] | None:
    if given is None:
        return None
    return _distinct([get_namespace(connection, organization_id, each).namespace_id for each in given])


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"There is a webhook named {name!r} already", hint="Change that one, or pick another name")
