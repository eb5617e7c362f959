"""An asset's address names one key, and nothing else passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.objects.assets import asset_key, asset_prefix, asset_url, key_from_asset_url, safe_filename

SHA256 = "ab" * 32


def test_the_address_of_an_asset_names_its_key() -> None:
    key = asset_key("ns_1", SHA256, "holiday.png")

    assert key == f"namespaces/ns_1/assets/{SHA256}/holiday.png"
    assert asset_url(key) == f"s3://mixpeek/namespaces/ns_1/assets/{SHA256}/holiday.png"
    assert key_from_asset_url(asset_url(key)) == key


@given(st.text(max_size=300))
def test_whatever_a_file_is_called_its_address_is_read_back(filename: str) -> None:
    key = asset_key("ns_1", SHA256, filename)

    assert key_from_asset_url(asset_url(key)) == key
    assert key.startswith(asset_prefix("ns_1"))
    assert len(safe_filename(filename)) <= 100


@pytest.mark.parametrize(
    ("filename", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a b.txt", "a_b.txt"),
        ("..", "file"),
        (None, "file"),
        ("Ünïcode.PDF", "Unicode.PDF"),
        ("x" * 200 + ".jpeg", "x" * 95 + ".jpeg"),
    ],
)
def test_a_filename_is_kept_as_far_as_it_is_harmless(filename: str | None, kept: str) -> None:
    assert safe_filename(filename) == kept


@pytest.mark.parametrize(
    "address",
    [
        f"namespaces/ns_1/assets/{SHA256}/a.png",
        f"s3://other/namespaces/ns_1/assets/{SHA256}/a.png",
        f"s3://mixpeek/namespaces/ns_1/assets/{SHA256}/../a.png",
        f"s3://mixpeek/namespaces/ns_1/assets/{SHA256}/..",
        f"s3://mixpeek/namespaces/../assets/{SHA256}/a.png",
        f"s3://mixpeek/namespaces/ns_1/assets/{SHA256}/a.png\n",
        f"s3://mixpeek/namespaces/ns_1/assets/{SHA256}/a.png?x=1",
        "s3://mixpeek/archives/secret.zip",
        "s3://mixpeek/",
        "",
    ],
)
def test_what_is_not_exactly_an_assets_address_names_no_key(address: str) -> None:
    assert key_from_asset_url(address) is None
