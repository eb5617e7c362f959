"""Which exceptions of plugin code are worth another try."""

from __future__ import annotations

import pytest

from mixpeek.contract.assets import AssetUnavailable
from mixpeek.host.transience import retry_after_s_of


@pytest.mark.parametrize(
    ("code", "is_passing"),
    [("unavailable", True), ("timed_out", True), ("not_found", False), ("invalid", False), ("too_large", False)],
)
def test_a_file_that_could_not_be_opened_is_tried_again_where_its_store_was_away(code: str, is_passing: bool) -> None:
    direct = AssetUnavailable("s3://mixpeek/x", "why", code)
    wrapped = RuntimeError("no picture")
    wrapped.__cause__ = direct

    assert [retry_after_s_of(error) is not None for error in (direct, wrapped)] == [is_passing, is_passing]
