"""Where a host is told that its models are: bound into the sandbox, or, without one, where they lie."""

from __future__ import annotations

import json
from pathlib import Path

from mixpeek.execution.port import HostSpec, ModelMount
from mixpeek.execution.sandbox import command, environment

FOLDER = Path("/data/models/abc")
SPEC = HostSpec(Path("/plugins/words"), "words", models=(ModelMount("hub:org/name", FOLDER, "huggingface"),))


def test_in_the_sandbox_a_model_is_bound_read_only_under_its_hash() -> None:
    line = command(SPEC, mode="bubblewrap", fd=3)

    at = line.index(str(FOLDER))
    assert line[at - 1 : at + 2] == ["--ro-bind", str(FOLDER), "/models/abc"]
    told = json.loads(line[line.index("MIXPEEK_MODELS") + 1])
    assert told == {"hub:org/name": {"path": "/models/abc", "format": "huggingface"}}


def test_without_a_sandbox_a_model_is_read_where_it_lies() -> None:
    told = json.loads(environment(SPEC, fd=3)["MIXPEEK_MODELS"])

    assert told["hub:org/name"]["path"] == str(FOLDER)
    assert "MIXPEEK_MODELS" not in environment(HostSpec(Path("/plugins/words"), "words"), fd=3)
