# Made from mixpeek/client/aio/webhooks.py by `make client`; change that one.
"""`client.webhooks`: who is told of what happens on the server; the receiving side is `mixpeek.webhooks.verify`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.pacing import Pace
from mixpeek.client.records import Page
from mixpeek.client.response import Response
from mixpeek.client.sync.resource import Resource, without_none
from mixpeek.client.sync.waiting import wait_until

_PATH = "/organizations/webhooks"


class Webhooks(Resource):
    """Webhooks, by id or name; every method takes an admin key."""

    def create(
        self,
        name: str,
        url: str,
        event_types: Sequence[str] = ("*",),
        *,
        headers: Mapping[str, str] | None = None,
        secret: str | None = None,
        timeout_s: float | None = None,
        namespaces: Sequence[str] | None = None,
    ) -> Response:
        """Have events sent to a URL.

        Args:
            event_types: names, or patterns such as `batch.*`.
            secret: signs deliveries; without one the server makes it and the answer shows it, this once, as
                `channels[0].configs.secret`.
            timeout_s: how long one attempt may take; the server's default is 10.
            namespaces: ids or names of the only ones to be told of.
        """
        configs = without_none(
            url=url, headers=None if headers is None else dict(headers), secret=secret, timeout=timeout_s
        )
        body = without_none(namespaces=None if namespaces is None else list(namespaces))
        return self._transport.request(
            "POST",
            f"{_PATH}/",
            body={
                "webhook_name": name,
                "event_types": list(event_types),
                "channels": [{"channel": "webhook", "configs": configs}],
                **body,
            },
        )

    def list(
        self,
        *,
        event_type: str | None = None,
        is_active: bool | None = None,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
    ) -> Page[Response]:
        """Return a page: `results`, and in `pagination` the cursor of the next."""
        body = without_none(event_type=event_type, is_active=is_active)
        return self._page(Response, _PATH, limit=limit, offset=offset, cursor=cursor, body=body)

    def get(self, webhook: str) -> Response:
        """Return a webhook; each of its `channels` says how its endpoint has been doing."""
        return self._transport.request("GET", _one(webhook))

    def update(self, webhook: str, **fields: Any) -> Response:
        """Set some fields of a webhook; `is_active=True` also enables endpoints that were disabled."""
        return self._transport.request("PATCH", _one(webhook), body=fields)

    def delete(self, webhook: str) -> Response:
        """Delete a webhook; what waits to be delivered is not sent."""
        return self._transport.request("DELETE", _one(webhook))

    def rotate_secret(
        self, webhook: str, *, endpoint_id: str | None = None, overlap_s: int | None = None, secret: str | None = None
    ) -> Response:
        """Replace a secret; the one before signs as well for `overlap_s`, by default a day."""
        body = without_none(endpoint_id=endpoint_id, overlap_s=overlap_s, secret=secret)
        return self._transport.request("POST", f"{_one(webhook)}/rotate-secret", body=body)

    def test(self, webhook: str) -> Response:
        """Send a `webhook.ping`; return its deliveries, as `results`, before they were made."""
        return self._transport.request("POST", f"{_one(webhook)}/test")

    def deliveries(
        self,
        webhook: str,
        *,
        state: str | None = None,
        event_type: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Response:
        """Return a page of deliveries, newest first: pending, delivered or failed."""
        query = {"state": state, "event_type": event_type, "limit": limit, "cursor": cursor}
        return self._transport.request("GET", f"{_one(webhook)}/deliveries", query=query)

    def delivery(self, webhook: str, delivery_id: str) -> Response:
        """Return a delivery with its `event` and the `history` of its attempts."""
        return self._transport.request("GET", f"{_one(webhook)}/deliveries/{segment(delivery_id)}")

    def replay(self, webhook: str, delivery_id: str) -> Response:
        """Send the event of a delivery once more; return the new delivery."""
        return self._transport.request("POST", f"{_one(webhook)}/deliveries/{segment(delivery_id)}/replay")

    def wait(
        self,
        webhook: str,
        delivery_id: str,
        *,
        is_over: Callable[[Response], bool] = lambda delivery: delivery["state"] != "pending",
        timeout_s: float | None = None,
        poll_s: float | None = None,
    ) -> Response:
        """Return a delivery once it arrived or failed for good, or once `is_over` says so; raise WaitTimedOut."""
        return wait_until(
            lambda _: self.delivery(webhook, delivery_id),
            is_over,
            f"Delivery {delivery_id}",
            Pace(poll_s, is_watched=False, may_hold=False),
            on_progress=None,
            timeout_s=timeout_s,
        )


def _one(webhook: str) -> str:
    return f"{_PATH}/{segment(webhook)}"
