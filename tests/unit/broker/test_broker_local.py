"""Who answers a plugin under test: files beside the samples, variables for secrets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mixpeek.broker.local import SECRET_PREFIX, LocalBroker
from mixpeek.config import CLIENT_PREFIX, unknown_variables
from mixpeek.contract.asking import Refused
from mixpeek.execution.asks.port import GenerationRequest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples = tmp_path / "samples"
    (samples / "pictures").mkdir(parents=True)
    (samples / "pictures" / "a b.txt").write_bytes(b"0123456789")
    (tmp_path / "outside.txt").write_text("private")
    (samples / "link.txt").symlink_to(tmp_path / "outside.txt")
    return samples


def run(call: Any) -> Any:
    return asyncio.run(call)


def test_files_in_the_folder_of_the_samples_are_read_by_pieces(folder: Path) -> None:
    broker = LocalBroker(folder, {})

    for name in ("pictures/a b.txt", "file:pictures/a%20b.txt", str(folder / "pictures" / "a b.txt")):
        assert run(broker.asset_size(None, name)) == 10
        assert run(broker.read_asset(None, name, 3, 4)) == b"3456"


@pytest.mark.parametrize(
    "name",
    ["../outside.txt", "link.txt", "/etc/passwd", "file:///etc/passwd", "pictures/../../outside.txt", "pictures"],
)
def test_nothing_outside_of_it_is_read_whichever_way_it_is_named(folder: Path, name: str) -> None:
    with pytest.raises(Refused, match="where the sample data lies"):
        run(LocalBroker(folder, {}).read_asset(None, name, 0, 1))


def test_an_asset_of_a_server_is_refused_in_words(folder: Path) -> None:
    with pytest.raises(Refused, match="no server in a test"):
        run(LocalBroker(folder, {}).asset_size(None, "s3://mixpeek/namespaces/ns_1/assets/x/y"))


def test_secrets_are_variables_with_a_prefix_and_no_others() -> None:
    broker = LocalBroker(None, {"MIXPEEK_SECRET_KEY": "sesame", "OTHER": "private"})

    assert run(broker.secret(None, "KEY")) == "sesame"
    assert run(broker.list_secrets(None)) == ["KEY"]
    with pytest.raises(Refused, match="MIXPEEK_SECRET_OTHER"):
        run(broker.secret(None, "OTHER"))


def test_the_variables_of_secrets_are_known_to_the_server_too() -> None:
    assert SECRET_PREFIX == CLIENT_PREFIX
    assert unknown_variables({"MIXPEEK_SECRET_KEY": "sesame"}) == []


def test_without_a_language_model_the_setting_that_names_one_is_named() -> None:
    with pytest.raises(Refused, match="MIXPEEK_LLM_URL"):
        run(LocalBroker(None, {}).generate(None, GenerationRequest("Hello")))
