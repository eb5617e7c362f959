"""What a webhook may say: each fault is named, with the repair."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from mixpeek.errors import InvalidRequest
from mixpeek.secrets.keys import GivenKeys
from mixpeek.secrets.service import Vault
from mixpeek.webhooks.event_types import KNOWN, SILENT, fault_of_pattern, warnings_of
from mixpeek.webhooks.retries import LONGEST_PAUSE_S, RetryPolicy
from mixpeek.webhooks.schemas import CreateWebhook
from mixpeek.webhooks.service import Webhooks, policy_from

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def body(*event_types: str, channel: str = "webhook", **configs: Any) -> dict[str, Any]:
    return {
        "webhook_name": "ci",
        "event_types": list(event_types) or ["*"],
        "channels": [{"channel": channel, "configs": {"url": "https://hooks.example.com/x", **configs}}],
    }


def refusal_of(given: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refused:
        CreateWebhook.model_validate(given)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in refused.value.errors())


def test_the_documented_types_are_all_known() -> None:
    assert len(KNOWN) == len(set(KNOWN))
    of_data = [kind for kind in KNOWN if kind.split(".")[0] in {"object", "objects", "collection"}]
    documented = [kind for kind in of_data if not kind.startswith("collection.upgrade.")] + [*SILENT]
    assert len(documented) == 31


@pytest.mark.parametrize("pattern", ["*", "batch.*", "cluster.execution.*", "objects.created.batch", "alert.triggered"])
def test_types_and_patterns_that_match_one_are_taken(pattern: str) -> None:
    assert fault_of_pattern(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        ("batch.complete", "did you mean `batch.completed`?"),
        ("deployments.*", "did you mean `deployment.*`?"),
        ("batch*", "did you mean `batch.*`?"),
        ("*.created", "did you mean"),
        ("", "known are `*`"),
        ("zzz", "known are `*`, alert.*, batch.*"),
    ],
)
def test_a_type_that_does_not_exist_is_refused_with_a_suggestion(pattern: str, advice: str) -> None:
    assert advice in refusal_of(body(pattern))


def test_documented_types_of_what_is_not_here_are_taken_and_said_to_stay_silent() -> None:
    assert warnings_of(["*", "batch.*", "task.failed"]) == []
    assert warnings_of(["cluster.*", "taxonomy.created"]) == [
        "cluster.*: this server has no clusters, so it never happens",
        "taxonomy.created: this server has no taxonomies, so it never happens",
    ]


@pytest.mark.parametrize("channel", ["email", "slack"])
def test_documented_channels_that_are_not_delivered_to_are_refused_by_name(channel: str) -> None:
    refusal = refusal_of(body(channel=channel, to_addresses=["a@example.com"]))

    assert refusal.startswith(f"channels.0: This server does not deliver to the channel `{channel}`")
    assert ";" in refusal  # the repair
    assert "to_addresses" not in refusal


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://example.com/", "must begin with `https://`"),
        ("https:///x", "names no host"),
        ("https://user:words@example.com/", "send them in `headers`"),
        ("https://example.com/#part", "never sent"),
        ("https://example.com:0/", "port is 0"),
        ("https://example.com:99999/", "Port out of range"),
        ("https://exa mple.com/", "must escape"),
        ("https://example.com/\r\nX: y", "must escape"),
        ("https://[::1/", "Invalid IPv6 URL"),
    ],
)
def test_a_url_that_cannot_be_delivered_to_is_refused(url: str, fault: str) -> None:
    assert fault in refusal_of(body(url=url))


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ({"Host": "x"}, "The header Host is set by the server"),
        ({"Mixpeek-Signature": "x"}, "is set by the server"),
        ({"X-A": "one\r\nX-B: two"}, "is not printable ASCII"),
        ({"X A": "x"}, "is not a header's name"),
        ({"X-A": "1", "x-a": "2"}, "is given twice"),
    ],
)
def test_headers_that_are_ours_or_no_headers_are_refused(headers: dict[str, str], fault: str) -> None:
    assert fault in refusal_of(body(headers=headers))


def test_what_is_not_honoured_is_refused_by_name() -> None:
    assert refusal_of(body(payload_template={"text": "{{ event }}"})).startswith("channels.0.configs.payload_template:")
    assert refusal_of({**body(), "webhook_id": "wh_0123456789abcdef"}).startswith("webhook_id:")
    assert "did you mean `webhook_name`?" in refusal_of({**body(), "webhok_name": "x"})
    assert "did you mean `timeout`?" in refusal_of(body(time_out=3))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:8000/", "loopback address"),
        ("http://localhost/", "loopback address"),
        ("http://169.254.169.254/latest/meta-data/", "link-local address"),
        ("http://10.1.2.3/", "private address"),
        ("http://[::1]/", "loopback address"),
        ("http://[::ffff:10.0.0.1]/", "private address inside an IPv6 one"),
        ("http://2130706433/", "loopback address"),
        ("http://0x7f.1/", "loopback address"),
        ("https://93.184.216.34:22/", "only 80 and 443"),
    ],
)
def test_an_address_that_no_delivery_would_reach_is_refused_at_once(url: str, reason: str) -> None:
    webhooks = Webhooks(Vault(GivenKeys(SecretStr("unused"))), policy_from(""))

    with pytest.raises(InvalidRequest, match=reason) as refused:
        webhooks.check_url(url)

    assert "MIXPEEK_WEBHOOK_ALLOW=" in (refused.value.hint or "")


def test_an_address_that_the_operator_allows_is_taken() -> None:
    Webhooks(Vault(GivenKeys(SecretStr("unused"))), policy_from("10.1.0.0/16:8443")).check_url("https://10.1.2.3:8443/")


def test_pauses_double_up_to_an_hour_and_end_with_the_time_there_is() -> None:
    policy = RetryPolicy(first_pause_s=5, give_up_s=24 * 3600)

    def pauses(attempts: int) -> list[float]:
        return [policy.next_pause_s(attempts, NOON, NOON) or 0 for _ in range(200)]

    for attempts, longest in ((1, 5), (2, 10), (5, 80), (20, LONGEST_PAUSE_S), (5000, LONGEST_PAUSE_S)):
        assert longest * 0.75 <= min(pauses(attempts)) < max(pauses(attempts)) <= longest
    assert policy.next_pause_s(40, NOON, NOON + timedelta(hours=23, minutes=59)) is None


def test_a_receiver_that_asks_for_a_longer_pause_gets_it_up_to_an_hour() -> None:
    policy = RetryPolicy(first_pause_s=5)

    assert policy.next_pause_s(1, NOON, NOON, asked_for_s=120) == 120
    assert policy.next_pause_s(1, NOON, NOON, asked_for_s=10**9) == LONGEST_PAUSE_S
    assert (policy.next_pause_s(9, NOON, NOON, asked_for_s=1) or 0) > 900
