"""`MIXPEEK_RULES`, which the commands and the server read alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def mixpeek(*arguments: str | Path, rules: str, data_dir: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MIXPEEK_RULES": rules}
    if data_dir is not None:
        environment["MIXPEEK_DATA_DIR"] = str(data_dir)
    command = [sys.executable, "-m", "mixpeek", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)


def test_lint_takes_severities_from_the_servers_own_setting(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (plugin / "manifest.py").write_text("")
    (plugin / "pipeline.py").write_text("import threading\nthreading.Thread()\nopen(p)\n\ndef build_steps(): ...\n")

    linted = mixpeek("plugin", "lint", plugin, "--static", "--json", rules="security.threading=off,security.open=error")

    findings = {one["rule"]: one["severity"] for one in json.loads(linted.stdout)["findings"]}
    assert findings["security.open"] == "error"
    assert "security.threading" not in findings


def test_a_rule_that_does_not_exist_ends_the_start_with_a_suggestion(tmp_path: Path) -> None:
    served = mixpeek("serve", "--port", "0", rules="security.pikle=error", data_dir=tmp_path / "data")

    assert served.returncode == 1
    assert "MIXPEEK_RULES names the rule 'security.pikle', which does not exist" in served.stderr
    assert "Did you mean `security.pickle`?" in served.stderr
    assert not (tmp_path / "data").exists()
