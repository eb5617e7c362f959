"""The receiver's side: what is believed, and all that is not."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
import time

import pytest

from mixpeek.webhooks import SignatureInvalid, verify
from mixpeek.webhooks.signing import new_secret, sign

BODY = b'{"event_id":"evt_1"}'
SECRET = "whsec_of_these_tests"


def now_s() -> int:
    return int(time.time())


def test_a_signature_is_the_documented_one() -> None:
    mark = hmac.new(SECRET.encode(), b"1700000000." + BODY, hashlib.sha256).hexdigest()

    assert sign(BODY, [SECRET], 1_700_000_000) == f"t=1700000000,v1={mark}"


def test_what_was_signed_is_returned_parsed() -> None:
    assert verify(BODY, sign(BODY, [SECRET], now_s()), SECRET) == {"event_id": "evt_1"}


def test_either_of_two_secrets_is_enough() -> None:
    header = sign(BODY, [new_secret(), SECRET], now_s())

    assert verify(BODY, header, SECRET)


def test_signatures_of_a_kind_unknown_here_are_passed_over() -> None:
    assert verify(BODY, sign(BODY, [SECRET], now_s()) + ",v2=abc, v3 = ü", SECRET)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        "t=1",
        "v1=ab",
        "t=x,v1=ab",
        "t=1,t=2,v1=ab",
        "t=-5,v1=ab",
        "t=٣,v1=ab",
        "t=1,v1=ü",
        "," * 5000,
    ],
)
def test_a_header_of_another_form_is_refused(header: str | None) -> None:
    with pytest.raises(SignatureInvalid):
        verify(BODY, header, SECRET)


def test_a_changed_body_time_or_secret_is_refused() -> None:
    at = now_s()
    header = sign(BODY, [SECRET], at)

    for body, changed, secret in (
        (BODY + b" ", header, SECRET),
        (BODY, header.replace(f"t={at}", f"t={at + 1}"), SECRET),
        (BODY, header, SECRET + "x"),
        (BODY, header[:-1] + ("0" if header[-1] != "0" else "1"), SECRET),
    ):
        with pytest.raises(SignatureInvalid, match="No signature"):
            verify(body, changed, secret)


@pytest.mark.parametrize("age_s", [301, -301])
def test_what_was_recorded_cannot_be_sent_again_later(age_s: int) -> None:
    header = sign(BODY, [SECRET], now_s() - age_s)

    with pytest.raises(SignatureInvalid, match="seconds ago"):
        verify(BODY, header, SECRET)
    assert verify(BODY, header, SECRET, tolerance_s=400)


def test_a_receiver_needs_nothing_but_the_standard_library() -> None:
    program = "import sys; from mixpeek.webhooks import verify; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "mixpeek.webhooks.signing" in loaded
    assert not {"pydantic", "httpx", "httpcore", "psycopg", "fastapi"} & set(loaded)
