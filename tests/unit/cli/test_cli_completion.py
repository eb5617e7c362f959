"""Shell completion, as a shell asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(sys.executable).parent


def shown(shell: str, tmp_path: Path) -> str:
    """Return the script that `mixpeek --show-completion` prints for a shell."""
    done = subprocess.run(
        [SCRIPTS / "mixpeek", "--show-completion", shell],
        env={**os.environ, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_bash_completes_commands_and_options_with_what_is_printed(tmp_path: Path) -> None:
    script = shown("bash", tmp_path)
    asking = """
        COMP_WORDS=(mixpeek plugin te); COMP_CWORD=2; _mixpeek_completion mixpeek; echo "${COMPREPLY[@]}"
        COMP_WORDS=(mixpeek plugin test --wa); COMP_CWORD=3; _mixpeek_completion mixpeek; echo "${COMPREPLY[@]}"
    """

    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asking}"],
        env={**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == ["test", "--watch"], done


@pytest.mark.parametrize(("shell", "told"), [("zsh", "compdef"), ("fish", "complete")])
def test_other_shells_have_scripts_of_their_own(tmp_path: Path, shell: str, told: str) -> None:
    assert told in shown(shell, tmp_path)
