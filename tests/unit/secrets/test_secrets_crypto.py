"""Sealing values: only the right key, organization and name open them, and nothing tells what is inside."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.secrets.crypto import MasterKeys, Sealed, fingerprint, new_key
from mixpeek.secrets.errors import SecretDamaged, SecretsKeyInvalid, SecretsKeyWrong

KEYS = MasterKeys((new_key(),))
SEALED = KEYS.seal("org_1", "weather", "plain words")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_value_comes_back_as_it_was(value: str) -> None:
    assert KEYS.open("org_1", "weather", KEYS.seal("org_1", "weather", value)) == value


def test_two_seals_of_one_value_differ() -> None:
    assert KEYS.seal("org_1", "weather", "plain words").ciphertext != SEALED.ciphertext


@pytest.mark.parametrize(("organization", "name"), [("org_2", "weather"), ("org_1", "stripe")])
def test_ciphertext_copied_to_another_row_is_not_read_there(organization: str, name: str) -> None:
    with pytest.raises(SecretDamaged) as refused:
        KEYS.open(organization, name, SEALED)

    assert "plain words" not in str(refused.value.wire())


@given(st.integers(0, len(SEALED.ciphertext) - 1))
def test_changed_ciphertext_is_not_read(place: int) -> None:
    other = "A" if SEALED.ciphertext[place] != "A" else "B"
    changed = SEALED.ciphertext[:place] + other + SEALED.ciphertext[place + 1 :]

    # A change in the last bits of base64 may mean the same bytes.
    try:
        assert KEYS.open("org_1", "weather", Sealed(changed, SEALED.key_fingerprint)) == "plain words"
    except SecretDamaged:
        return
    assert place >= len(SEALED.ciphertext.rstrip("=")) - 1


def test_a_key_that_is_not_given_is_named_by_its_fingerprint() -> None:
    with pytest.raises(SecretsKeyWrong, match=SEALED.key_fingerprint):
        MasterKeys((new_key(),)).open("org_1", "weather", SEALED)


def test_a_fingerprint_that_lies_about_its_key_opens_nothing() -> None:
    other = MasterKeys((new_key(),))

    with pytest.raises(SecretDamaged):
        other.open("org_1", "weather", dataclasses.replace(SEALED, key_fingerprint=other.fingerprints[0]))


def test_the_first_key_encrypts_and_all_of_them_decrypt() -> None:
    both = KEYS.led_by_new(KEYS.fingerprints)
    newer = both.seal("org_1", "weather", "newer words")

    assert both.open("org_1", "weather", SEALED) == "plain words"
    assert both.open("org_1", "weather", newer) == "newer words"
    assert newer.key_fingerprint == both.fingerprints[0] != SEALED.key_fingerprint
    with pytest.raises(SecretsKeyWrong):
        KEYS.open("org_1", "weather", newer)


def test_a_key_that_nothing_is_encrypted_with_is_not_kept_behind_a_new_one() -> None:
    both = KEYS.led_by_new(KEYS.fingerprints)

    assert both.led_by_new(KEYS.fingerprints).texts[1:] == KEYS.texts


def test_resealing_moves_a_value_to_the_first_key_and_keeps_whom_it_is_for() -> None:
    both = KEYS.led_by_new(KEYS.fingerprints)

    moved = both.reseal("weather", SEALED)

    assert both.without_old().open("org_1", "weather", moved) == "plain words"
    with pytest.raises(SecretDamaged):
        both.open("org_1", "stripe", moved)


def test_keys_are_separated_by_commas_or_lines() -> None:
    one, two = new_key(), new_key()

    assert MasterKeys.parse(f" {one}, {two}\n", "here").texts == (one, two)
    assert MasterKeys.parse(f"{one}\n{two}\n", "here").texts == (one, two)


@pytest.mark.parametrize(
    "text",
    ["", " , ", "short", new_key()[:-2], "é" * 44, f"{new_key()},short", "+" * 44],
    ids=["empty", "only_commas", "short", "cut", "not_ascii", "one_good_one_short", "not_base64"],
)
def test_what_is_no_key_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(SecretsKeyInvalid) as refused:
        MasterKeys.parse(text, "MIXPEEK_SECRETS_KEY")

    assert "MIXPEEK_SECRETS_KEY" in refused.value.message
    assert not any(part in str(refused.value.wire()) for part in text.replace(",", " ").split() if part != "short")


def test_every_key_that_fernet_takes_is_taken() -> None:
    assert MasterKeys.parse(Fernet.generate_key().decode(), "here").fingerprints


def test_keys_are_in_no_repr() -> None:
    assert KEYS.texts[0] not in repr(KEYS)
    assert KEYS.texts[0][:16] not in fingerprint(KEYS.texts[0])
