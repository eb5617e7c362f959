"""`plugin lint --fix`, `--diff`, `--explain` and `--format`, and the files that pre-commit hands over."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_plugin import MANIFEST, PIPELINE, write_plugin

from factories.commands import Command
from mixpeek.cli.annotations import annotation
from mixpeek.inspection.findings import error, warning

ROOT = Path(__file__).parents[3]
NO_RETURN = PIPELINE.replace("        return batch\n", "")
WRONG_KEYS = MANIFEST.replace('"embedding_dim"', '"dim"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_plugin(tmp_path / "small_one", manifest=WRONG_KEYS, pipeline=NO_RETURN)


def test_fix_repairs_the_files_and_says_what_is_left(mix: Command, folder: Path) -> None:
    ran = mix("plugin", "lint", folder, "--fix", "--json")
    again = mix("plugin", "lint", folder, "--fix", "--json")

    assert {(one["rule"], one["path"]) for one in ran.json["repaired"]} == {
        ("manifest.unknown_key", "manifest.py"),
        ("rows.none_returned", "pipeline.py"),
    }
    assert (ran.code, ran.json["findings"], again.json["repaired"]) == (0, [], [])
    assert (folder / "manifest.py").read_text() == MANIFEST.lstrip("\n")
    assert (folder / "pipeline.py").read_text() == PIPELINE.lstrip("\n")


def test_diff_shows_the_change_and_makes_none(mix: Command, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.py")}

    ran = mix("plugin", "lint", folder, "--diff")

    assert ran.code == 1
    assert "+++ b/pipeline.py\n" in ran.out
    assert "\n+        return batch\n" in ran.out
    assert {path: path.read_bytes() for path in folder.rglob("*.py")} == before
    mix("plugin", "lint", folder, "--fix")
    assert mix("plugin", "lint", folder, "--diff").code == 0


def test_an_unsafe_repair_is_made_only_where_that_is_said(mix: Command, folder: Path) -> None:
    printing = PIPELINE.replace("        batch[", "        print(batch)\n        batch[")
    (folder / "pipeline.py").write_text(printing)

    mix("plugin", "lint", folder, "--fix")
    kept = (folder / "pipeline.py").read_text()
    mix("plugin", "lint", folder, "--fix", "--unsafe-fixes")

    assert kept == printing
    assert (folder / "pipeline.py").read_text() == PIPELINE
    assert mix("plugin", "lint", folder, "--unsafe-fixes").code == 2


def test_no_file_outside_the_folder_is_written_through_a_link(mix: Command, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for path in (tmp_path / "other.py", outside / "inner.py"):
        path.write_text(NO_RETURN)
    (folder / "linked.py").symlink_to(tmp_path / "other.py")
    (folder / "beside").symlink_to(outside)

    ran = mix("plugin", "lint", folder, "--fix")

    # A plugin with links cannot be packed, so that nothing of it is touched at all.
    assert ran.code == 1
    assert "linked.py" in ran.out + ran.err
    assert (tmp_path / "other.py").read_text() == (outside / "inner.py").read_text() == NO_RETURN


def test_a_repaired_file_keeps_its_mode(mix: Command, folder: Path) -> None:
    (folder / "pipeline.py").chmod(0o755)

    mix("plugin", "lint", folder, "--fix")

    assert (folder / "pipeline.py").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("rule", ["SEQ001", "seq002", "rows.first_only", "security.eval", "allow.unused"])
def test_a_rule_is_explained_with_code_that_breaks_it_and_code_that_does_not(mix: Command, rule: str) -> None:
    ran = mix("plugin", "lint", "--explain", rule)
    described = mix("plugin", "lint", "--explain", rule, "--json").json

    assert (ran.code, described["rule"].lower()) == (0, rule.lower())
    for part in (described["summary"], described["hint"], described["why"], "Breaks it", "Does not"):
        assert part in ran.out


def test_a_rule_that_does_not_exist_is_a_wrong_call(mix: Command) -> None:
    ran = mix("plugin", "lint", "--explain", "rows.first")

    assert ran.code == 2
    assert "Did you mean `rows.first_only`?" in ran.err


def test_findings_are_printed_for_github(mix: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)

    ran = mix("plugin", "lint", "small_one", "--format", "github")

    lines = ran.out.splitlines()
    assert ran.code == 1
    assert all(re.fullmatch(r"::(error|warning) .*::.*", line) for line in lines[:-1])
    assert any(line.startswith("::error file=small_one/manifest.py,line=") for line in lines)
    assert lines[-1] == "small_one: 1 error, 1 warning"


def test_an_annotation_cannot_be_broken_by_what_it_says() -> None:
    found = error("a.b", "100% of it: x::y", hint="Do, this", path="a,b:c.py", line=3)

    assert annotation(found, Path("p")) == "::error file=p/a%2Cb%3Ac.py,line=3,title=a.b::100%25 of it: x::y. Do, this"
    assert annotation(warning("a.b", "m", hint="h"), Path("p")) == "::warning title=a.b::m. h"


def test_format_json_is_what_json_prints_and_excludes_github(mix: Command, folder: Path) -> None:
    one, other = mix("plugin", "lint", folder, "--format", "json"), mix("plugin", "lint", folder, "--json")

    assert one.out == other.out
    assert set(one.json) == {
        "success", "path", "name", "version", "features", "realtime", "code_hash", "checks", "findings",
    }  # fmt: skip
    assert mix("plugin", "lint", folder, "--json", "--format", "github").code == 2


def test_a_hook_gives_files_and_each_plugin_is_checked_once(mix: Command, folder: Path, tmp_path: Path) -> None:
    write_plugin(tmp_path / "second")
    (tmp_path / "setup.py").write_text("x = 1\n")

    ran = mix(
        "plugin", "lint", "--json",
        *[folder / "manifest.py", folder / "tests" / "test_small.py", tmp_path / "second" / "pipeline.py"],
        tmp_path / "setup.py",
    )  # fmt: skip

    assert ran.code == 1
    assert [(one["path"], one["success"]) for one in ran.json["plugins"]] == [
        (str(folder), False),
        (str(tmp_path / "second"), True),
    ]


def test_the_entry_of_the_pre_commit_hook_does_what_the_hook_promises(folder: Path) -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    entry = re.search(r"entry: (.+)", text)
    assert entry is not None
    program, *arguments = entry[1].split()
    command = [Path(sys.executable).with_name(program), *arguments, "small_one/pipeline.py", "small_one/manifest.py"]

    ran = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False, timeout=60)

    assert ran.returncode == 1, ran.stderr
    assert "manifest.unknown_key" in ran.stdout
    assert "rows.none_returned" in ran.stdout


def test_help_and_lint_load_nothing_heavy(tmp_path: Path) -> None:
    write_plugin(tmp_path / "small_one")
    heavy = ["pandas", "numpy", "pyarrow", "httpx", "asyncio", "jsonschema", "mixpeek.execution", "mixpeek.client"]
    for arguments, more in (
        (["--help"], ["rich", "pydantic", "mixpeek.cli.plugin.lint", "mixpeek.inspection.scan"]),
        (["plugin", "--help"], ["rich", "mixpeek.cli.plugin.lint", "mixpeek.inspection.scan"]),
        (["plugin", "lint", "--help"], ["rich", "mixpeek.inspection.scan"]),
        (["plugin", "lint", str(tmp_path / "small_one"), "--json"], ["rich"]),
    ):
        code = (
            "import sys, json\nfrom mixpeek.cli.app import run\n"
            f"code = run({arguments!r})\n"
            f"print(json.dumps([code, sorted(set({[*heavy, *more]!r}) & set(sys.modules))]), file=sys.stderr)"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

        assert json.loads(ran.stderr.splitlines()[-1]) == [0, []], arguments


def test_what_a_group_says_of_its_commands_is_what_they_say_themselves() -> None:
    import typer

    from mixpeek.cli.app import app
    from mixpeek.cli.lazy import LazyGroup

    root = typer.main.get_command(app)
    for group in (root, root.commands["plugin"]):  # type: ignore[attr-defined]
        assert isinstance(group, LazyGroup)
        for name, entry in group.entries.items():
            assert group.commands[name].help.strip().partition("\n")[0] == entry.help, name
