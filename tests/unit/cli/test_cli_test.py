"""`mixpeek plugin test`, in the real host."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from small_plugin import MANIFEST, PIPELINE, write_plugin

from factories.commands import Command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "small_one"


def samples(tmp_path: Path, rows: object) -> Path:
    path = tmp_path / "samples.json"
    path.write_text(json.dumps(rows))
    return path


def statuses(document: dict[str, object]) -> dict[str, str]:
    checks = document["checks"]
    assert isinstance(checks, list)
    return {check["name"]: check["status"] for check in checks}


def test_a_good_plugin_passes_every_check_and_each_is_printed(mix: Command, folder: Path, tmp_path: Path) -> None:
    write_plugin(folder)

    ran = mix("plugin", "test", "-p", folder, "-s", samples(tmp_path, [{"text": "one"}, {"text": "three"}]))

    assert ran.code == 0, ran
    lines = ran.out.splitlines()
    names = ["Structure", "Security scan", "Schemas", "Dependencies", "Realtime", "Pipeline", "Tests", "Sample data"]
    assert [line[2:18].rstrip() for line in lines[:8]] == names
    assert all(line.startswith("✓ ") for line in lines[:8])
    assert "2 rows, 2 through realtime" in lines[7]
    assert lines[-1] == "small_one passed 8 checks"


def test_json_mode_prints_one_document(mix: Command, folder: Path) -> None:
    write_plugin(folder)

    ran = mix("plugin", "test", "-p", folder, "--json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.json["success"] is True
    assert ran.json["features"] == ["mixpeek://small_one@1.2.0/length_vector"]
    assert statuses(ran.json)["Tests"] == "passed"


def test_a_csv_file_has_one_row_for_each_line_after_its_header(mix: Command, folder: Path, tmp_path: Path) -> None:
    write_plugin(folder)
    (tmp_path / "rows.csv").write_text('text,note\n"one, two",a\nthree,b\n')

    ran = mix("plugin", "test", "-p", folder, "-s", tmp_path / "rows.csv", "--json")

    assert ran.json["samples"]["rows"] == 2
    assert ran.json["samples"]["first_row"]["length_vector"] == "[8.0000, 1.0000]"


def test_all_findings_come_at_once_with_place_rule_and_repair(mix: Command, folder: Path) -> None:
    write_plugin(folder, pipeline="import subprocess\n" + PIPELINE + "\neval('1')\n", manifest="import socket\n")

    ran = mix("plugin", "test", "-p", folder)

    assert ran.code == 1
    assert "  pipeline.py:1:" in ran.out
    assert "security.subprocess" in ran.out
    assert "security.eval" in ran.out
    assert "manifest.py:1:" in ran.out
    assert "✗ Security scan" in ran.out
    assert "– Tests" in ran.out
    assert "small_one failed: Security scan" in ran.out


def test_a_missing_file_is_a_finding_of_the_structure(mix: Command, folder: Path) -> None:
    write_plugin(folder, pipeline=None)

    ran = mix("plugin", "test", "-p", folder, "--json")

    assert ran.code == 1
    assert statuses(ran.json)["Structure"] == "failed"
    assert "pipeline.py" in [finding["path"] for finding in ran.json["findings"]]


def test_a_wrong_key_of_the_manifest_is_found_at_its_line_and_the_tests_still_run(mix: Command, folder: Path) -> None:
    write_plugin(folder, manifest=MANIFEST.replace("embedding_dim", "dimensions"))

    ran = mix("plugin", "test", "-p", folder)

    assert ran.code == 1
    assert "✗ Schemas" in ran.out
    assert "embedding_dim" in ran.out
    assert "✓ Tests" in ran.out


def test_a_pipeline_that_raises_is_found_at_the_authors_line(mix: Command, folder: Path) -> None:
    broken = "def build_steps(extractor_request):\n    raise ValueError('not today')\n"
    write_plugin(folder, pipeline=broken, realtime=None)

    ran = mix("plugin", "test", "-p", folder)

    assert ran.code == 1
    assert "✗ Pipeline" in ran.out
    assert "pipeline.py:2" in ran.out
    assert "not today" in ran.out


def test_a_realtime_module_that_cannot_be_imported_fails(mix: Command, folder: Path) -> None:
    write_plugin(folder, realtime="from .pipeline import nothing_of_this_name\n", test=None)

    ran = mix("plugin", "test", "-p", folder)

    assert ran.code == 1
    assert "✗ Realtime" in ran.out
    assert "realtime.py:1" in ran.out


def test_failing_tests_of_the_plugin_are_quoted(mix: Command, folder: Path) -> None:
    write_plugin(folder, test="def test_wrong():\n    assert 1 == 2\n")

    ran = mix("plugin", "test", "-p", folder)

    assert ran.code == 1
    assert "✗ Tests" in ran.out
    assert "assert 1 == 2" in ran.out


def test_a_plugin_without_tests_passes(mix: Command, folder: Path) -> None:
    write_plugin(folder, test=None)

    ran = mix("plugin", "test", "-p", folder, "--json")

    assert ran.code == 0
    assert statuses(ran.json)["Tests"] == "skipped"


@pytest.mark.parametrize(
    ("replaced", "rule"),
    [
        ({"pipeline": PIPELINE.replace('batch["length_vector"]', 'batch["other"]')}, "samples.missing_feature"),
        ({"pipeline": PIPELINE.replace(", 1.0]", ", 1.0, 2.0]")}, "samples.wrong_vector"),
        ({"pipeline": PIPELINE.replace(", 1.0]", ", float('nan')]"), "realtime": None}, "samples.wrong_vector"),
        ({"pipeline": PIPELINE.replace("vector(text) for", "None for")}, "samples.no_vector"),
        ({"pipeline": PIPELINE.replace('batch["text"]', 'batch["words"]')}, "samples.batch_failed"),
        ({"pipeline": PIPELINE.replace("return batch", "return None")}, "samples.batch_failed"),
        (
            {"realtime": "class RealtimeHandler:\n    def predict(self, request):\n        return {'answer': 1}\n"},
            "samples.no_realtime_vector",
        ),
        (
            {"realtime": "class RealtimeHandler:\n    def predict(self, request):\n        return request['no']\n"},
            "samples.realtime_failed",
        ),
    ],
)
def test_sample_data_finds_what_only_a_run_can_show(
    mix: Command, folder: Path, tmp_path: Path, replaced: dict[str, str | None], rule: str
) -> None:
    write_plugin(folder, test=None, **replaced)

    ran = mix("plugin", "test", "-p", folder, "-s", samples(tmp_path, [{"text": "one"}]), "--json")

    assert ran.code == 1
    assert rule in [finding["rule"] for finding in ran.json["findings"]]
    assert statuses(ran.json)["Sample data"] == "failed"


@pytest.mark.parametrize(("parity", "code"), [("warn", 0), ("strict", 1)])
def test_realtime_that_differs_from_the_batch_warns_or_fails_as_the_manifest_says(
    mix: Command, folder: Path, tmp_path: Path, parity: str, code: int
) -> None:
    realtime = "class RealtimeHandler:\n    def predict(self, request):\n        return {'embedding': [0.0, 1.0]}\n"
    write_plugin(folder, test=None, realtime=realtime, manifest=f"{MANIFEST}parity = {parity!r}\n")

    ran = mix("plugin", "test", "-p", folder, "-s", samples(tmp_path, [{"text": "one"}]), "--json")

    assert ran.code == code
    assert [finding["rule"] for finding in ran.json["findings"]] == ["samples.realtime_differs"]


@pytest.mark.parametrize("content", ["[]", "{", '["a"]', "{}"])
def test_unusable_sample_data_is_a_wrong_call(mix: Command, folder: Path, tmp_path: Path, content: str) -> None:
    write_plugin(folder)
    (tmp_path / "samples.json").write_text(content)

    ran = mix("plugin", "test", "-p", folder, "-s", tmp_path / "samples.json")

    assert ran.code == 2
    assert "samples.json" in ran.err


def test_a_path_that_is_no_folder_is_a_wrong_call(mix: Command, tmp_path: Path) -> None:
    ran = mix("plugin", "test", "-p", tmp_path / "nowhere")

    assert ran.code == 2
    assert "nowhere" in ran.err


def test_a_folder_whose_name_is_no_identifier_works(mix: Command, tmp_path: Path) -> None:
    write_plugin(tmp_path / "my plugin-1.0")

    assert mix("plugin", "test", "-p", tmp_path / "my plugin-1.0").code == 0


def test_the_folder_can_be_given_without_its_option_but_not_twice(mix: Command, folder: Path) -> None:
    write_plugin(folder, test=None)

    assert mix("plugin", "test", folder).code == 0
    assert mix("plugin", "test", folder, "-p", folder).code == 2


def test_modules_on_the_authors_path_are_there_and_cannot_be_written(
    mix: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "house_words.py").write_text("SCALE = 2.0\n")
    write_plugin(
        folder,
        pipeline="import house_words\n" + PIPELINE,
        test="""
        import pathlib
        import house_words
        import pytest

        def test_it_cannot_be_written():
            with pytest.raises(OSError):
                pathlib.Path(house_words.__file__).write_text("")
        """.replace("\n        ", "\n"),
    )
    without = mix("plugin", "test", folder, "--json")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'library'}:{tmp_path / 'nowhere'}")

    given = mix("plugin", "test", folder, "--json")

    assert without.code == 1
    assert "house_words" in without.out
    assert given.code == 0, given.out


def test_packages_of_the_authors_environment_are_there_and_satisfy_dependencies(
    mix: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "env" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (packages / "house_words-1.5.dist-info").mkdir(parents=True)
    (packages / "house_words-1.5.dist-info" / "METADATA").write_text("Name: house-words\nVersion: 1.5\n")
    (packages / "house_words.py").write_text("")
    manifest = MANIFEST + 'dependencies = ["house-words>=1"]\n'
    write_plugin(folder, pipeline="import house_words\n" + PIPELINE, manifest=manifest, test=None)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))

    ran = mix("plugin", "test", folder, "--json")

    assert ran.code == 0, ran.out


def test_what_of_the_authors_surroundings_a_plugin_cannot_have_is_named(
    mix: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(folder, test=None)
    (tmp_path / "env" / "lib" / "python2.7" / "site-packages").mkdir(parents=True)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    monkeypatch.setenv("PYTHONPATH", "/tmp")

    ran = mix("plugin", "test", folder)

    assert ran.code == 0
    assert f"{tmp_path / 'env'} is active, but belongs to another Python" in ran.err
    assert "PYTHONPATH names /tmp" in ran.err
