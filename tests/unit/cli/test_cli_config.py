"""`mixpeek config`: every setting with its value, except for those that are nobody's to read."""

from __future__ import annotations

import pytest

from factories.commands import Command
from mixpeek.config import Settings

HIDDEN = {
    "MIXPEEK_SECRETS_KEY": "c2VjcmV0cy1rZXktb2YtdGhlLXRlc3QtMDEyMzQ1Njc=",
    "MIXPEEK_BOOTSTRAP_API_KEY": "sk_of_the_test",
    "MIXPEEK_DATABASE_URL": "postgresql://user:password-of-the-test@host/db",
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MIXPEEK_{name.upper()}", raising=False)


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_keys_and_passwords_are_shown_as_set_only(
    mix: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    for name, value in HIDDEN.items():
        monkeypatch.setenv(name, value)

    ran = mix("config", *arguments)

    assert ran.code == 0
    assert ran.out.count("(set)") == len(HIDDEN)
    assert not [value for value in HIDDEN.values() if value in ran.out + ran.err]


def test_what_is_not_set_is_not_shown_as_set(mix: Command) -> None:
    rows = {row["variable"]: row["value"] for row in mix("config", "--json").json["settings"]}

    assert [rows[name] for name in HIDDEN] == [None, None, None]


def test_a_key_is_in_no_repr_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXPEEK_SECRETS_KEY", HIDDEN["MIXPEEK_SECRETS_KEY"])

    assert HIDDEN["MIXPEEK_SECRETS_KEY"] not in repr(Settings())


def test_a_server_names_the_setting_it_cannot_read_and_not_its_value(
    mix: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXPEEK_SANDBOX", "offf")
    monkeypatch.setenv("MIXPEEK_PORT", "hunter2")

    ran = mix("serve")

    assert ran.code == 1
    assert "MIXPEEK_SANDBOX: Input should be 'auto' or 'off'" in ran.err
    assert "hunter2" not in ran.err
    assert "Traceback" not in ran.err
