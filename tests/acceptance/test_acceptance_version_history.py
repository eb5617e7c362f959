"""Publish, edit, publish, diff, roll back, log, pull: the installed command against a real server.

What it prints is kept in `golden/`; `UPDATE_GOLDEN=1` in the environment writes it anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from factories.commands import Command, Ran
from factories.plugins import MakePlugin
from factories.servers import API_KEY, Server, surroundings
from mixpeek import Mixpeek

GOLDEN = Path(__file__).parent / "golden" / "version_history.txt"
SCRIPT = Path(__file__).parents[2] / "server" / "scripts" / "api" / "plugins.py"

NAME = "small_words"
# Moments differ from run to run; each is as wide as the one that replaces it, so that columns stay aligned.
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
SAME_WIDTH = "YYYY-MM-DD HH:MM:SS"


class Transcript:
    """Runs command lines and writes down each with what it printed and how it ended."""

    def __init__(self, mix: Command) -> None:
        self._mix = mix
        self.text = ""

    def run(self, *arguments: str, talk: bool = False, cwd: Path | None = None) -> Ran:
        """Run one command; with `talk`, stderr is written down too, where it is the same on every machine."""
        ran = self._mix(*arguments, cwd=cwd)
        words = " ".join(f"'{word}'" if " " in word else word for word in arguments)
        printed = (ran.err if talk else "") + ran.out
        self.text += f"$ mixpeek {words}\n{MOMENT.sub(SAME_WIDTH, printed)}exit {ran.code}\n\n"
        assert ran.code in {0, 1}, ran.err
        return ran


def edit(plugin: Path) -> None:
    """Make the second version: another number and description, one line of code changed, one file more."""
    manifest = (plugin / "manifest.py").read_text()
    manifest = manifest.replace('"version": "1.0.0"', '"version": "1.1.0"').replace("Counts words", "Counts long words")
    (plugin / "manifest.py").write_text(manifest)
    code = (plugin / "embedding.py").read_text()
    (plugin / "embedding.py").write_text(code.replace(".split():", ".split()[:64]:"))
    (plugin / "NOTES.md").write_text("Only the first 64 words count.\n")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_plugin_is_published_edited_compared_and_taken_back(
    mix: Command, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    plugin = make_plugin(NAME)
    first = contents(plugin)
    script = Transcript(mix)

    script.run("plugin", "publish", "-m", "first words", cwd=plugin)
    edit(plugin)
    second = contents(plugin)
    script.run("plugin", "publish", "-m", "long texts take no longer", cwd=plugin)
    script.run("plugin", "status", NAME)
    script.run("plugin", "diff", NAME, "1.0.0", "1.1.0", talk=True)
    script.run("plugin", "rollback", NAME, "-m", "back to all words", talk=True)
    script.run("plugin", "log", NAME, talk=True)
    script.run("plugin", "pull", NAME, "-o", "active")
    script.run("plugin", "pull", NAME, "-o", "newer", "--version", "1.1.0")
    script.run("plugin", "rollback", NAME, "9.9.9")

    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(script.text)
    assert script.text == GOLDEN.read_text()
    assert contents(tmp_path / "active") == first
    assert contents(tmp_path / "newer") == second
    answered = client.plugins.realtime_test(f"{NAME}_1_0_0", {"text": "hello"})
    assert (answered.status, answered.version) == ("success", "1.0.0")
    assert client.plugins.status(f"{NAME}_1_1_0").status == "NOT_DEPLOYED"


def test_the_diff_of_the_command_can_be_applied(mix: Command, make_plugin: MakePlugin, tmp_path: Path) -> None:
    plugin = make_plugin(NAME)
    assert mix("plugin", "push", plugin).code == 0
    edit(plugin)
    assert mix("plugin", "push", plugin).code == 0
    assert mix("plugin", "pull", NAME, "-o", "old", "--version", "1.0.0").code == 0

    patch = mix("plugin", "diff", NAME, "1.0.0", "1.1.0").out
    subprocess.run(["git", "apply", "-"], input=patch, text=True, cwd=tmp_path / "old", check=True)

    assert contents(tmp_path / "old") == contents(plugin)


def test_the_contracts_script_says_the_same_as_the_command(
    mix: Command, server: Server, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    plugin = make_plugin(NAME)
    variables = surroundings(
        MIXPEEK_API_KEY=API_KEY, MIXPEEK_NAMESPACE=client.namespace or "", MIXPEEK_API_URL=f"{server.url}/v1"
    )

    def script(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, SCRIPT, *map(str, arguments)]
        return subprocess.run(line, env=variables, capture_output=True, text=True, check=False, timeout=120)

    pushed = script("push", plugin, "-m", "first")
    deployed = script("deploy", f"{NAME}_1_0_0")
    edit(plugin)
    script("push", plugin, "-m", "second")

    assert (pushed.returncode, deployed.returncode) == (0, 0), pushed.stderr + deployed.stderr
    assert deployed.stdout == f"{NAME}_1_0_0 DEPLOYED\n"
    for verb in (["log", NAME], ["status", NAME], ["diff", NAME, "1.0.0", "1.1.0"]):
        assert script(*verb).stdout == mix("plugin", *verb).out
    back = script("rollback", NAME, "1.1.0", "--json")
    assert '"deployment_status": "DEPLOYED"' in back.stdout
