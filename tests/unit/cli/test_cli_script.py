"""`server/scripts/api/plugins.py`: the contract's own path to the same verbs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_plugin import write_plugin

from factories.local_server import LocalServer

SCRIPT = Path(__file__).parents[3] / "server" / "scripts" / "api" / "plugins.py"


def script(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        env={**os.environ, "NO_COLOR": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("verb", ["push", "pull", "status", "log", "rollback", "diff", "lint", "test", "deploy"])
def test_every_verb_of_the_contract_is_there(verb: str) -> None:
    assert verb in script("--help").stdout.split()


def test_its_three_variables_are_enough(server: LocalServer) -> None:
    entry = {"version": "1.0.0", "active": True, "deployment_status": "DEPLOYED", "plugin_id": "words_1_0_0"}
    answer = {"success": True, "name": "words", "versions": [entry], "total": 1, "active_version": "1.0.0"}
    server.on("GET /v1/namespaces/ns_1/plugins/by-name/words/versions", answer)

    ran = script(
        "status", "words", MIXPEEK_API_KEY="sk_test", MIXPEEK_NAMESPACE="ns_1", MIXPEEK_API_URL=f"{server.url}/v1"
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("words 1.0.0  DEPLOYED")
    assert server.asked[0].headers["authorization"] == "Bearer sk_test"


def test_lint_and_test_need_no_server(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path / "small_one")

    linted, tested = script("lint", folder), script("test", folder)

    assert (linted.returncode, tested.returncode) == (0, 0), linted.stderr + tested.stderr
    assert "0 errors" in linted.stdout
    assert "✓ Tests" in tested.stdout
