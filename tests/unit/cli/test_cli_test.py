"""`mixpeek plugin test`, in the real host."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

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
    names = ["Sandbox", "Structure", "Security scan", "Schemas", "Dependencies", "Realtime", "Pipeline", "Tests"]
    names += ["Sample data", "Parity", "Timings", "Production"]
    assert [line[2:18].rstrip() for line in lines if line.startswith("✓ ")] == names
    assert "samples.json: 2 rows, 2 through realtime" in ran.out
    table = lines.index("  ROW  CONTENT  length_vector")
    assert lines[table + 1 : table + 3] == ["  1    'one'    [3.0000, 1.0000]", "  2    'three'  [5.0000, 1.0000]"]
    assert "least cosine to batch 1.0000" in ran.out
    for told in ("import ", "load ", "rows/s", "MiB"):
        assert told in next(line for line in lines if "Timings" in line)
    for told in ("2 GiB for a batch's host", "15 s for a call of 64 rows", "network       none", "small_one 1.2.0"):
        assert told in ran.out
    assert lines[-1] == "small_one passed 12 checks"


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


ROWS = [{"text": "one"}, {"text": "three"}]


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "shipped"])
def test_rows_come_from_lines_from_parquet_and_from_the_plugin_itself(
    mix: Command, folder: Path, tmp_path: Path, kind: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_plugin(folder, test=None)
    path = tmp_path / f"rows.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, ROWS)))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        (folder / "samples.json").write_text(json.dumps(ROWS))

    ran = mix("plugin", "test", "-p", folder, "--json", *([] if kind == "shipped" else ["-s", path]))

    assert ran.code == 0, ran
    assert ran.json["samples"]["rows"] == 2
    assert ran.json["samples"]["least_cosine"] == 1.0
    assert ran.json["timings"]["rows_per_s"] > 0


def test_files_of_a_folder_are_rows_of_assets(mix: Command, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "files" / "in").mkdir(parents=True)
    (tmp_path / "files" / "in" / "a.png").write_bytes(b"12345")
    read = "[vector(bytes(asset)) for asset in map(read, batch['data'])]"
    pipeline = PIPELINE.replace('[vector(text) for text in batch["text"]]', read)
    reader = "from shared.plugins import open_asset\n\ndef read(url):\n    with open_asset(url) as file:\n"
    write_plugin(folder, test=None, realtime=None, pipeline=reader + "        return file.read()\n" + pipeline)

    ran = mix("plugin", "test", "-p", folder, "-s", tmp_path / "files", "--json")

    assert ran.code == 0, ran
    assert ran.json["samples"]["first_row"]["length_vector"] == "[5.0000, 1.0000]"


def test_a_column_that_is_not_there_is_told_with_those_that_are(mix: Command, folder: Path, tmp_path: Path) -> None:
    write_plugin(folder, test=None, realtime=None)

    ran = mix("plugin", "test", "-p", folder, "-s", samples(tmp_path, [{"texts": "one", "note": "n"}]), "--json")

    hints = {finding["rule"]: finding for finding in ran.json["findings"]}
    assert ran.code == 1
    assert hints["samples.missing_column"]["message"].endswith("the columns there are: texts, note")
    assert hints["samples.missing_column"]["hint"] == "Rename `texts`"
    assert "the rows have data, texts, note" in hints["samples.batch_failed"]["hint"]
    assert (hints["samples.batch_failed"]["path"], hints["samples.batch_failed"]["line"]) == ("pipeline.py", 12)


@pytest.mark.parametrize(
    "body",
    [
        '[vector(batch["text"].iloc[0])] * len(batch)',
        '[vector(batch["text"].iloc[0])] + [None] * (len(batch) - 1)',
        "[vector(text) for text in batch['text']][::-1]",
    ],
    ids=["only the first, for all", "only the first", "in another order"],
)
def test_rows_that_are_mixed_up_are_found(mix: Command, folder: Path, tmp_path: Path, body: str) -> None:
    signed = PIPELINE.replace("[float(len(text)), 1.0]", "[float(len(text) - 4), 1.0]")
    pipeline = signed.replace('[vector(text) for text in batch["text"]]', body)
    write_plugin(folder, test=None, realtime=None, pipeline=pipeline)

    ran = mix(
        "plugin", "test", "-p", folder, "-s", samples(tmp_path, [{"text": "a"}, {"text": "a longer one"}]), "--json"
    )

    assert ran.code == 1
    found = next(finding for finding in ran.json["findings"] if finding["rule"] == "samples.rows_mixed_up")
    assert "iloc[0]" in found["hint"]
    assert "reset_index" in found["hint"]


def test_a_test_that_ends_its_process_has_not_passed(mix: Command, folder: Path) -> None:
    write_plugin(folder, test="import os\n\ndef test_it():\n    os._exit(0)\n")

    ran = mix("plugin", "test", "-p", folder, "--json")

    assert ran.code == 1
    assert statuses(ran.json)["Tests"] == "failed"


def test_junit_has_one_case_for_each_check_with_its_findings(mix: Command, folder: Path, tmp_path: Path) -> None:
    write_plugin(folder, test=None, pipeline="import subprocess\n" + PIPELINE)

    ran = mix("plugin", "test", "-p", folder, "--junit", tmp_path / "report.xml")

    suite = ElementTree.parse(tmp_path / "report.xml").getroot()[0]
    scan = next(case for case in suite if case.get("name") == "Security scan")
    assert ran.code == 1
    assert (suite.get("name"), suite.get("failures")) == ("small_one", "1")
    assert "pipeline.py:1" in (scan[0].text or "")
    assert any(case.find("skipped") is not None for case in suite)


def test_without_a_sandbox_that_is_said_first(mix: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(folder, test=None)
    monkeypatch.setenv("MIXPEEK_SANDBOX", "off")

    ran = mix("plugin", "test", "-p", folder)

    assert ran.code == 0
    assert ran.out.startswith("! Sandbox         MIXPEEK_SANDBOX=off: plugin code runs with the rights of this program")


def test_a_watch_tests_again_after_each_save_and_ends_by_ctrl_c(folder: Path) -> None:
    write_plugin(folder, test=None, realtime=None)
    watching = subprocess.Popen(
        [Path(sys.executable).with_name("mixpeek"), "plugin", "test", "-p", folder, "--watch"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert watching.stdout is not None
    try:
        first = [*itertools.takewhile(lambda line: "waiting for a save" not in line, watching.stdout)]
        (folder / "pipeline.py").write_text(PIPELINE + "\n1 / 0\n")
        second = [*itertools.takewhile(lambda line: "waiting for a save" not in line, watching.stdout)]
        (folder / "pipeline.py").write_text(PIPELINE)
        third = [*itertools.takewhile(lambda line: "waiting for a save" not in line, watching.stdout)]
        watching.send_signal(signal.SIGINT)

        assert watching.wait(30) == 130
    finally:
        watching.kill()
        watching.stdout.close()
        watching.wait()
    assert any("small_one passed" in line for line in first)
    assert second[0] == "changed: pipeline.py\n"
    assert any("ZeroDivisionError" in line for line in second), second
    assert any("small_one passed" in line for line in third), third
