"""What objects may be made of is settled when the server starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from mixpeek.config import Settings
from mixpeek.errors import SettingInvalid
from mixpeek.objects.store import ObjectStore
from mixpeek.server.process import intake


def test_the_bucket_that_holds_every_namespaces_files_is_no_source_of_content(tmp_path: Path) -> None:
    store = ObjectStore(None, tmp_path)
    settings = {"objects_url": "s3://everything/objects", "source_hosts": "s3://everything"}

    with pytest.raises(SettingInvalid, match="MIXPEEK_OBJECTS_URL"):
        intake(Settings(**cast("Any", settings)), cast("Any", None), store)

    assert intake(Settings(**cast("Any", {**settings, "source_hosts": "s3://photos"})), cast("Any", None), store)
