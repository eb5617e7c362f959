"""What plugin code imports as `engine` and `shared`, and the tools behind it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mixpeek.contract.assets import AssetUnavailable
from shared.plugins import download_asset, open_asset
from shared.plugins.inference.serve import BaseInferenceService
from shared.plugins.sdk import concurrent_api_calls, parallel_io


def test_the_doors_import_nothing_heavy() -> None:
    code = (
        "import sys, engine.plugins.extractors.pipeline, shared.plugins.sdk, shared.plugins.inference.serve\n"
        "print([m for m in ('pandas', 'pyarrow', 'numpy', 'pydantic', 'httpx') if m in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"


def test_assets_open_from_files_and_data_addresses(tmp_path: Path) -> None:
    path = tmp_path / "a b.txt"
    path.write_bytes(b"hello")

    for address in (path, str(path), path.as_uri(), "data:text/plain;base64,aGVsbG8=", "data:,hello"):
        with open_asset(address) as asset:
            assert asset.read() == b"hello"


@pytest.mark.parametrize("address", ["https://example.org/x", "s3://bucket/x", "data:nothing", "data:;base64,!"])
def test_other_addresses_are_refused_in_words(address: str) -> None:
    with pytest.raises(AssetUnavailable, match=r"no network|no platform|data:"):
        open_asset(address)


def test_downloading_an_asset_copies_it(tmp_path: Path) -> None:
    target = download_asset("data:,hello", tmp_path / "copy")

    assert Path(target).read_bytes() == b"hello"


def test_parallel_calls_keep_the_order_and_raise_the_first_error() -> None:
    assert parallel_io(lambda n: n * 2, range(20), max_workers=4) == [n * 2 for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        parallel_io(lambda n: 1 // n, [1, 0])


def test_concurrent_calls_overlap_up_to_their_cap() -> None:
    barrier = threading.Barrier(3, timeout=10)

    assert concurrent_api_calls(lambda n: (barrier.wait(), n)[1], range(3), max_concurrency=3) == [0, 1, 2]


def test_concurrent_calls_take_async_functions_even_inside_a_loop() -> None:
    async def double(n: int) -> int:
        await asyncio.sleep(0)
        return n * 2

    async def scenario() -> list[int]:
        return concurrent_api_calls(double, range(5), max_concurrency=2)

    assert asyncio.run(scenario()) == [0, 2, 4, 6, 8]


def test_the_base_service_calls_run_inference_and_says_if_it_is_missing() -> None:
    class Echo(BaseInferenceService):
        async def run_inference(self, inputs: dict[str, object], parameters: dict[str, object]) -> object:
            return inputs

    assert asyncio.run(Echo()({"a": 1}, {})) == {"a": 1}
    with pytest.raises(NotImplementedError, match="overrides neither"):
        asyncio.run(BaseInferenceService()({}, {}))
