"""Settings: read from the environment, checked, and unknown ones named with what may have been meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mixpeek.config import Settings, unknown_variables
from mixpeek.host.frames import MAX_BODY_BYTES


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MIXPEEK_{name.upper()}", raising=False)


def test_without_variables_the_server_is_embedded_and_local() -> None:
    settings = Settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.database_url is None
    assert settings.objects_dir == settings.data_dir / "objects"
    assert settings.unpacked_dir == settings.data_dir / "unpacked"


def test_a_variable_sets_its_field_and_an_argument_beats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXPEEK_PORT", "9001")
    monkeypatch.setenv("MIXPEEK_DATA_DIR", "/somewhere")

    assert (Settings().port, Settings().data_dir) == (9001, Path("/somewhere"))
    assert Settings(port=9002).port == 9002


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("CHUNK_ROWS", "0"),
        ("SANDBOX", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("MAX_BODY_BYTES", str(MAX_BODY_BYTES + 1)),  # a host could not be handed such a body
    ],
)
def test_a_value_outside_its_range_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"MIXPEEK_{name}", value)

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_an_unknown_variable_is_named_with_the_one_it_may_stand_for() -> None:
    warnings = unknown_variables({"MIXPEEK_DATADIR": "x", "PATH": "/bin", "MIXPEEK_PORT": "1"})

    assert warnings == ["MIXPEEK_DATADIR is not a setting and is ignored; did you mean MIXPEEK_DATA_DIR?"]


def test_variables_of_the_client_and_of_the_server_are_known() -> None:
    own = {f"MIXPEEK_{name.upper()}": "1" for name in Settings.model_fields}

    assert unknown_variables({**own, "MIXPEEK_API_KEY": "k", "MIXPEEK_NAMESPACE": "n", "MIXPEEK_BASE_URL": "u"}) == []
