"""Deliveries: whatever a receiver does and whoever dies, what was acknowledged arrives, and who is slow is alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from factories.hooks import Place
from factories.receiver import Answering, Receiver
from factories.waiting import until
from mixpeek.errors import Conflict
from mixpeek.webhooks import SignatureInvalid, queries, service
from mixpeek.webhooks.delivery import Courier
from mixpeek.webhooks.models import Delivery, Webhook
from mixpeek.webhooks.retention import clear_events
from mixpeek.webhooks.retries import RetryPolicy
from mixpeek.webhooks.schemas import ChangeWebhook, RotateSecret
from mixpeek.webhooks.service import Webhooks, policy_from

MakeReceiver = Callable[..., Receiver]
Deliver = Callable[..., Courier]


def ended(place: Place, webhook: Webhook, count: int = 1) -> list[Delivery]:
    """Return a webhook's deliveries once so many have ended."""

    def all_ended() -> list[Delivery]:
        found = place.deliveries(webhook)
        return found if sum(each.state != "pending" for each in found) >= count else []

    return until(all_ended, what=f"{count} deliveries have ended")


def test_what_happens_arrives_once_signed_and_whole(
    place: Place, make_receiver: MakeReceiver, deliver: Deliver
) -> None:
    receiver = make_receiver()
    hook, secret = place.hook(receiver.url, configs={"headers": {"Authorization": "Bearer of words"}})
    deliver()

    place.happen()

    (delivery,) = ended(place, hook)
    (got,) = receiver.received
    event = got.verified(secret)
    assert (delivery.state, delivery.attempts, delivery.history[0]["status"]) == ("delivered", 1, 200)
    assert (event["event_type"], event["namespace_id"]) == ("object.created", place.namespace_id)
    assert event["data"]["bucket_id"] == place.bucket_id
    assert got.event_id == event["event_id"] == delivery.event_id
    assert got.headers["mixpeek-delivery-id"] == delivery.delivery_id
    assert got.headers["authorization"] == "Bearer of words"
    with pytest.raises(SignatureInvalid):
        got.verified("whsec_of_somebody_else")


def test_a_receiver_that_fails_is_asked_again_with_the_same_event(
    place: Place, make_receiver: MakeReceiver, deliver: Deliver
) -> None:
    receiver = make_receiver(lambda n, answer: answer(503 if n < 2 else 204, b"not yet"))
    hook, secret = place.hook(receiver.url)
    deliver()

    place.happen()

    (delivery,) = ended(place, hook)
    assert (delivery.state, delivery.attempts) == ("delivered", 3)
    assert [attempt["status"] for attempt in delivery.history] == [503, 503, 204]
    assert delivery.history[0]["error"] == "it answered 503"
    assert {each.body for each in receiver.received} == {receiver.received[0].body}
    assert all(each.verified(secret) for each in receiver.received)
    until(lambda: place.endpoint(hook).state == "healthy", what="the endpoint is healthy again")


def test_what_cannot_be_delivered_in_time_fails_with_its_reasons_and_can_be_replayed(
    place: Place, make_receiver: MakeReceiver, deliver: Deliver
) -> None:
    receiver = make_receiver(lambda n, answer: answer(500, b"out of order" * 500))
    hook, _ = place.hook(receiver.url)
    deliver(RetryPolicy(first_pause_s=0.02, give_up_s=0.1, disable_s=60))
    place.happen()
    (failed,) = ended(place, hook)

    receiver.behave = lambda n, answer: answer(200)
    with place.database.transaction() as connection:
        again = service.replay(connection, service.get_webhook(connection, place.organization_id, hook.webhook_name),
                               failed.delivery_id)  # fmt: skip
    replayed = ended(place, hook, 2)[0]

    assert failed.state == "failed"
    assert failed.response is not None
    assert failed.response.startswith("out of order")
    assert len(failed.response) == 1024
    assert (replayed.delivery_id, replayed.replay_of) == (again.delivery_id, failed.delivery_id)
    assert (replayed.state, replayed.event_id) == ("delivered", failed.event_id)
    assert receiver.received[-1].body == receiver.received[0].body


def test_a_delivery_that_is_still_tried_is_not_replayed(place: Place) -> None:
    hook, _ = place.hook("http://127.0.0.1:9/")
    place.happen()
    (waiting,) = place.deliveries(hook)

    with place.database.transaction() as connection, pytest.raises(Conflict, match="has not ended"):
        service.replay(connection, hook, waiting.delivery_id)


def test_a_slow_endpoint_delays_only_itself(place: Place, make_receiver: MakeReceiver, deliver: Deliver) -> None:
    stuck, quick = make_receiver(lambda n, answer: answer.nothing()), make_receiver()
    place.hook(stuck.url)
    place.hook(quick.url)
    deliver(at_once=2)

    place.happen(12)

    quick.wait_for(12, within_s=8)
    assert len(stuck.received) == stuck.most_at_once == 2


def test_a_receiver_that_says_nothing_or_little_at_a_time_is_given_its_time_and_no_more(
    place: Place, make_receiver: MakeReceiver, deliver: Deliver
) -> None:
    def behave(number: int, answer: Answering) -> None:
        (answer.nothing if number == 0 else answer.trickle)()

    receiver = make_receiver(behave)
    hook, _ = place.hook(receiver.url, configs={"timeout": 0.3})
    deliver(RetryPolicy(first_pause_s=0.02, give_up_s=0.5, disable_s=60))

    place.happen()

    (delivery,) = ended(place, hook)
    errors = [attempt["error"] for attempt in delivery.history]
    assert delivery.state == "failed"
    assert set(errors) == {"no whole answer within 0.3 s"}
    assert len(errors) >= 2
    assert all(250 < attempt["duration_ms"] < 2000 for attempt in delivery.history)


def test_redirects_are_not_followed(place: Place, make_receiver: MakeReceiver, deliver: Deliver) -> None:
    inside = make_receiver()
    receiver = make_receiver(lambda n, answer: answer(307, Location=inside.url))
    hook, _ = place.hook(receiver.url)
    deliver(RetryPolicy(first_pause_s=0.02, give_up_s=0.01, disable_s=60))

    place.happen()

    (delivery,) = ended(place, hook)
    assert delivery.history[0]["error"] == f"it answered 307 to {inside.url}; redirects are not followed"
    assert inside.received == []


def test_an_address_is_judged_when_it_is_connected_to_whatever_was_thought_before(
    place: Place, make_receiver: MakeReceiver, deliver: Deliver
) -> None:
    receiver = make_receiver()
    hook, _ = place.hook(receiver.url)
    strict = Webhooks(place.webhooks._vault, policy_from(""))
    deliver(RetryPolicy(first_pause_s=0.02, give_up_s=0.01, disable_s=60), webhooks=strict)

    place.happen()

    (delivery,) = ended(place, hook)
    assert delivery.history[0]["error"] == "the address is refused: loopback address"
    assert receiver.received == []


def test_an_endpoint_that_fails_for_long_is_disabled_says_why_and_is_enabled_again(
    place: Place, make_receiver: MakeReceiver, deliver: Deliver
) -> None:
    receiver = make_receiver(lambda n, answer: answer(500))
    hook, _ = place.hook(receiver.url)
    deliver(RetryPolicy(first_pause_s=0.02, give_up_s=60, disable_s=0.2))
    place.happen(3)

    given_up = ended(place, hook, 3)
    disabled = place.endpoint(hook)
    place.happen()
    receiver.behave = lambda n, answer: answer(200)
    with place.database.transaction() as connection, pytest.raises(Conflict, match="is disabled: it failed"):
        service.replay(connection, service.get_webhook(connection, place.organization_id, hook.webhook_id),
                       given_up[0].delivery_id)  # fmt: skip
    with place.database.transaction() as connection:
        place.webhooks.change(connection, place.organization_id, hook.webhook_id, ChangeWebhook(is_active=True))
    place.happen()
    ended(place, hook, 4)

    assert {each.state for each in given_up} == {"failed"}
    assert disabled.state == "disabled"
    assert disabled.disabled_reason is not None
    assert disabled.disabled_reason.endswith("last: it answered 500")
    assert len(place.deliveries(hook)) == 4, "what happened while it was disabled is not kept for it"
    assert place.deliveries(hook)[0].state == "delivered"
    assert place.endpoint(hook).state == "healthy"


def test_a_paused_webhook_is_told_nothing_new_and_sent_what_waited_once_it_goes_on(
    place: Place, make_receiver: MakeReceiver, deliver: Deliver
) -> None:
    receiver = make_receiver()
    hook, _ = place.hook(receiver.url)
    place.happen()
    change = place.webhooks.change

    with place.database.transaction() as connection:
        change(connection, place.organization_id, hook.webhook_id, ChangeWebhook(is_active=False))
    place.happen()
    deliver()
    other, _ = place.hook(receiver.url)
    place.happen()
    ended(place, other)
    assert [each.state for each in place.deliveries(hook)] == ["pending"]

    with place.database.transaction() as connection:
        change(connection, place.organization_id, hook.webhook_id, ChangeWebhook(is_active=True))
    assert [each.state for each in ended(place, hook)] == ["delivered"]


def test_what_a_process_that_died_was_sending_is_sent_again_at_once(
    place: Place, make_receiver: MakeReceiver, deliver: Deliver
) -> None:
    receiver = make_receiver()
    hook, _ = place.hook(receiver.url)
    place.happen()
    with place.database.transaction() as connection:
        (claimed,) = queries.claim(connection, "webhooks-of-the-dead", 4, 3600)

    begun = time.monotonic()
    deliver()

    (delivery,) = ended(place, hook)
    assert time.monotonic() - begun < 10, "the lease of the dead would have held an hour"
    assert (delivery.delivery_id, delivery.attempts) == (claimed.delivery_id, 2)


def test_what_a_living_process_sends_is_left_to_it(place: Place) -> None:
    place.hook("http://127.0.0.1:9/")
    place.happen(3)

    living = ""  # the name of the connections of this test's pool
    with place.database.transaction() as connection:
        first = queries.claim(connection, living, 2, 60)
    with place.database.transaction() as connection:
        second = queries.claim(connection, living, 2, 60)

    assert (len(first), len(second)) == (2, 0)


def test_while_a_secret_is_replaced_both_sign(place: Place, make_receiver: MakeReceiver, deliver: Deliver) -> None:
    receiver = make_receiver()
    hook, old = place.hook(receiver.url)
    deliver()
    rotate = place.webhooks.rotate_secret

    with place.database.transaction() as connection:
        _, made = rotate(connection, place.organization_id, hook.webhook_id, RotateSecret(overlap_s=3600))
    place.happen()
    (both,) = receiver.wait_for(1)
    with place.database.transaction() as connection:
        _, last = rotate(connection, place.organization_id, hook.webhook_id, RotateSecret(overlap_s=0))
    place.happen()
    alone = receiver.wait_for(2)[1]

    (new,), (newest,) = made.values(), last.values()
    assert both.verified(old) == both.verified(new)
    assert alone.verified(newest)
    for ended_one in (old, new):
        with pytest.raises(SignatureInvalid):
            alone.verified(ended_one)


def test_old_events_are_cleared_with_their_deliveries(place: Place) -> None:
    hook, _ = place.hook("http://127.0.0.1:9/")
    place.happen(2)
    with place.database.transaction() as connection:
        connection.execute(
            "UPDATE events SET at = now() - interval '3 days' WHERE entry = (SELECT min(entry) FROM events)"
        )

    assert clear_events(place.database, 2) == 1
    assert len(place.deliveries(hook)) == 1
