"""Signed URLs: a token says what was signed, works until it expires, and cannot be altered."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mixpeek.objects.signing import Grant, SignatureExpired, SignatureInvalid, Signer

SIGNER = Signer(b"a secret")
LATER = int(time.time()) + 3600
GRANTS = st.builds(
    Grant, method=st.sampled_from(["GET", "PUT"]), key=st.text(), expires_at=st.just(LATER), limit_bytes=st.integers(0)
)


@given(GRANTS)
def test_a_token_gives_back_what_was_signed(grant: Grant) -> None:
    token = SIGNER.sign(grant)

    assert SIGNER.verify(token, grant.method) == grant
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def bytes_of(token: str) -> tuple[bytes, ...]:
    return tuple(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))


@given(GRANTS, st.data())
def test_an_altered_token_is_refused(grant: Grant, data: st.DataObject) -> None:
    token = SIGNER.sign(grant)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_"))
    altered = token[:place] + other + token[place + 1 :]
    # The last character of a part has bits that say nothing; the same bytes are the same token.
    assume(token[place] != "." and bytes_of(altered) != bytes_of(token))

    with pytest.raises(SignatureInvalid):
        SIGNER.verify(altered, grant.method)


@given(st.text())
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(SignatureInvalid):
        SIGNER.verify(text, "GET")


def test_a_token_of_another_secret_is_refused() -> None:
    token = Signer(b"another secret").sign(Grant("GET", "k", LATER, 0))

    with pytest.raises(SignatureInvalid):
        SIGNER.verify(token, "GET")


def test_a_token_for_one_method_does_not_allow_another() -> None:
    token = SIGNER.sign(Grant("GET", "k", LATER, 0))

    with pytest.raises(SignatureInvalid, match="signed for GET, not PUT"):
        SIGNER.verify(token, "PUT")


def test_an_expired_token_is_refused_as_expired() -> None:
    token = SIGNER.sign(Grant("GET", "k", int(time.time()) - 1, 0))

    with pytest.raises(SignatureExpired):
        SIGNER.verify(token, "GET")
