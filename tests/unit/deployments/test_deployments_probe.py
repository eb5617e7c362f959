"""What a rollout asks a plugin with."""

from __future__ import annotations

import io
import json
import wave
import zlib
from pathlib import Path
from typing import Any

import pytest

from mixpeek.contract.assets import open_asset
from mixpeek.contract.manifest import Manifest
from mixpeek.deployments import probe_assets
from mixpeek.deployments.probe import choose_probe


def manifest(**fields: Any) -> Manifest:
    return Manifest(feature_extractor_name="some_words", version="1.0.0", **fields)


EXAMPLE = {"properties": {"text": {"type": "string"}}, "examples": [{"text": "an example"}]}


def test_the_first_row_a_plugin_ships_comes_before_the_example_of_its_schema(tmp_path: Path) -> None:
    (tmp_path / "samples.json").write_text(json.dumps([{"text": "mine"}, {"text": "other"}]))

    probe, warnings = choose_probe(manifest(input_schema=EXAMPLE), tmp_path)

    assert probe is not None
    assert (probe.inputs, probe.row, probe.synthetic, warnings) == ({"text": "mine"}, {"text": "mine"}, False, [])
    assert probe.origin == "the first row of samples.json"


def test_a_csv_file_can_be_shipped_as_well(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_text("text\nmine\n")

    probe, _ = choose_probe(manifest(), tmp_path)

    assert probe is not None
    assert probe.inputs == {"text": "mine"}


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("samples.json", "{", "is not JSON"),
        ("samples.json", "[" * 100_000, "is not JSON"),
        ("samples.json", '[{"x": NaN}]', "NaN is no JSON number"),
        ("samples.json", "[]", "holds no rows"),
        ("samples.json", '["text"]', "holds no rows"),
        ("samples.json", " " * 1_100_000, "has 1,074 KiB"),
        ("samples.json", '[{"text": "\\ud800"}]', "lone surrogate"),
        ("samples.csv", "text\na,b\n", "more fields than its header"),
    ],
)
def test_a_shipped_sample_that_cannot_be_used_is_said_and_the_next_best_is_asked(
    tmp_path: Path, name: str, content: str, why: str
) -> None:
    (tmp_path / name).write_text(content)

    probe, [warning] = choose_probe(manifest(input_schema=EXAMPLE), tmp_path)

    assert probe is not None
    assert probe.inputs == {"text": "an example"}
    assert f"`{name}`" in warning
    assert why in warning
    assert str(tmp_path) not in warning


def test_examples_of_single_properties_make_a_row_if_no_required_one_lacks_its_own(tmp_path: Path) -> None:
    properties = {"text": {"type": "string", "examples": ["a", "b"]}, "size": {"examples": [3]}, "other": {}}

    probe, _ = choose_probe(manifest(input_schema={"properties": properties, "required": ["text"]}), tmp_path)
    lacking, _ = choose_probe(manifest(input_schema={"properties": properties, "required": ["other"]}), tmp_path)

    assert probe is not None
    assert (probe.inputs, probe.synthetic) == ({"text": "a", "size": 3}, False)
    assert lacking is not None
    assert lacking.synthetic


@pytest.mark.parametrize(
    ("kind", "mime_type", "start"),
    [("image", "image/png", b"\x89PNG"), ("audio", "audio/wav", b"RIFF"), ("document", "application/pdf", b"%PDF-")],
)
def test_a_plugin_that_takes_files_is_asked_with_one_that_its_own_tools_can_open(
    tmp_path: Path, kind: str, mime_type: str, start: bytes
) -> None:
    probe, warnings = choose_probe(manifest(supported_input_types=["video", kind]), tmp_path)

    assert probe is not None
    assert (probe.synthetic, probe.mime_type, warnings) == (True, mime_type, [])
    assert list(probe.inputs) == [kind]
    assert open_asset(probe.row["data"]).read().startswith(start)


def test_where_nothing_is_built_in_a_warning_says_what_to_ship(tmp_path: Path) -> None:
    probe, [warning] = choose_probe(manifest(supported_input_types=["video"]), tmp_path)

    assert probe is None
    assert "takes video" in warning
    assert "samples.json" in warning


def test_the_built_in_files_are_what_they_say() -> None:
    image = probe_assets.png()
    with wave.open(io.BytesIO(probe_assets.wav())) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (16_000, 1, 8_000)
    at = image.index(b"IDAT")
    length = int.from_bytes(image[at - 4 : at], "big")
    assert len(zlib.decompress(image[at + 4 : at + 4 + length])) == 64 * (1 + 64 * 3)
    document = probe_assets.pdf()
    table = int(document.rsplit(b"startxref\n", 1)[1].split()[0])
    assert document[table:].startswith(b"xref\n0 6\n")
    for number, line in enumerate(document[table:].splitlines()[3:8], start=1):
        assert document[int(line[:10]) :].startswith(b"%d 0 obj" % number)
