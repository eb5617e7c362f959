"""What changed between two versions: every diff can be applied, and no change of a manifest is left out."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.inspection.diff import MAX_TEXT_BYTES, FileDiff, diff_manifests, diff_versions

# Few different lines, so that repeats, moves and empty lines are common; also ends of lines that only Python knows.
LINES = st.lists(st.sampled_from(["", "a", "b", "c", "    return x", "\x0c", "á\u2028", "x\r"]), max_size=30)
TEXTS = st.builds(lambda lines, end: ("\n".join(lines) + end).encode(), LINES, st.sampled_from(["", "\n"]))


def applied(old: bytes, diff: str) -> bytes:
    """Apply one file's unified diff as `patch` does, checking each context and removed line."""
    lines = old.decode().split("\n")
    source = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    out: list[str] = []
    at = 0
    body = diff.split("\n")[2:-1]
    for number, line in enumerate(body):
        if line.startswith("@@"):
            start, _, count = line.split(" ")[1][1:].partition(",")
            first = int(start) - (0 if count == "0" else 1)
            out += source[at:first]
            at = first
        elif not line.startswith("\\"):
            is_cut = number + 1 < len(body) and body[number + 1].startswith("\\")
            text = line[1:] + ("" if is_cut else "\n")
            if line[0] != "+":
                assert source[at] == text
                at += 1
            if line[0] != "-":
                out.append(text)
    return "".join(out + source[at:]).encode()


@given(TEXTS, TEXTS)
def test_every_diff_turns_the_one_file_into_the_other(old: bytes, new: bytes) -> None:
    found = diff_versions({"f.py": old}, {"f.py": new})

    assert applied(old, found[0].diff) == new if found else old == new


@given(TEXTS, TEXTS)
def test_the_counted_lines_are_those_of_the_diff(old: bytes, new: bytes) -> None:
    for file in diff_versions({"f.py": old}, {"f.py": new}):
        body = file.diff.split("\n")[2:]
        assert file.added_lines == sum(line.startswith("+") for line in body)
        assert file.removed_lines == sum(line.startswith("-") for line in body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"a\nb\nc\n", b"a\nB\nc\n"),
        (b"a\nb", b"a\nb\n"),
        (b"".join(b"%d\n" % n for n in range(60)), b"".join(b"%d\n" % n for n in range(60) if n not in (5, 40))),
        (b"", b"new\n"),
    ],
)
def test_git_accepts_the_diff(tmp_path: Path, old: bytes, new: bytes) -> None:
    (tmp_path / "f.py").write_bytes(old)

    diff = diff_versions({"f.py": old}, {"f.py": new})[0].diff
    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=tmp_path, check=True)

    assert (tmp_path / "f.py").read_bytes() == new


def test_files_are_added_removed_modified_or_left_out_by_path() -> None:
    before = {"same.py": b"x\n", "gone.py": b"1\n2\n", "changed.py": b"a\nb\n"}
    after = {"same.py": b"x\n", "new.py": b"1\n", "changed.py": b"a\nc\nd\n"}

    files = diff_versions(before, after)

    assert [(file.path, file.status, file.added_lines, file.removed_lines) for file in files] == [
        ("changed.py", "modified", 2, 1),
        ("gone.py", "removed", 0, 2),
        ("new.py", "added", 1, 0),
    ]
    assert files[0].diff == "--- a/changed.py\n+++ b/changed.py\n@@ -1,2 +1,3 @@\n a\n-b\n+c\n+d\n"
    assert files[1].diff.startswith("--- a/gone.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n")
    assert files[2].diff == "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+1\n"


@pytest.mark.parametrize("content", [b"\x00\x01", b"\xff\xfe", b"a" * (MAX_TEXT_BYTES + 1)])
def test_what_is_not_text_is_named_and_not_compared_by_line(content: bytes) -> None:
    expected = FileDiff("model.bin", "modified", 0, 0, "", binary=True)

    assert diff_versions({"model.bin": b"text\n"}, {"model.bin": content}) == [expected]
    assert diff_versions({"model.bin": content}, {"model.bin": b"text\n"}) == [expected]


def test_long_files_without_a_line_in_common_take_no_long_time() -> None:
    before = {f"{n}.txt": b"".join(b"%d\n" % (k % 997) for k in range(20_000)) for n in range(20)}
    after = {f"{n}.txt": b"".join(b"%d\n" % ((k * 7) % 997) for k in range(20_000)) for n in range(20)}

    began = time.perf_counter()
    files = diff_versions(before, after)

    assert time.perf_counter() - began < 20
    assert applied(before["3.txt"], files[3].diff) != before["3.txt"]
    assert {file.path for file in files} == set(before)


MANIFEST: dict[str, Any] = {
    "feature_extractor_name": "words",
    "version": "1.0.0",
    "features": [{"feature_name": "v", "feature_type": "embedding", "embedding_dim": 8}],
    "dependencies": ["numpy>=2", "rich"],
    "compute_profile": {"batch_size": 64, "resource_type": "cpu"},
    "serve_config": None,
    "input_schema": {"properties": {"text": {"type": "string"}}},
}


def changed(**fields: Any) -> dict[str, Any]:
    return diff_manifests(MANIFEST, {**MANIFEST, **fields})


def test_equal_manifests_differ_in_nothing() -> None:
    assert changed() == {
        "changed": [],
        "features": {"added": [], "removed": [], "changed": []},
        "dependencies": {"added": [], "removed": []},
        "schemas": {"input": False, "output": False, "parameters": False},
    }


def test_single_fields_are_named_with_both_values_and_nested_ones_with_dots() -> None:
    found = changed(version="1.1.0", compute_profile={"batch_size": 8, "resource_type": "cpu"})

    assert found["changed"] == [
        {"field": "compute_profile.batch_size", "before": 64, "after": 8},
        {"field": "version", "before": "1.0.0", "after": "1.1.0"},
    ]


def test_a_part_that_appears_is_named_field_by_field() -> None:
    assert changed(serve_config={"num_replicas": 2})["changed"] == [
        {"field": "serve_config.num_replicas", "before": None, "after": 2}
    ]


def test_features_are_paired_by_name() -> None:
    wider = {**MANIFEST["features"][0], "embedding_dim": 16}
    label = {"feature_name": "label", "feature_type": "text"}

    assert changed(features=[wider, label])["features"] == {
        "added": [label],
        "removed": [],
        "changed": [{"feature_name": "v", "field": "embedding_dim", "before": 8, "after": 16}],
    }
    assert changed(features=[])["features"]["removed"] == MANIFEST["features"]


def test_dependencies_come_and_go_and_a_new_number_is_both() -> None:
    assert changed(dependencies=["rich", "numpy>=2.1"])["dependencies"] == {
        "added": ["numpy>=2.1"],
        "removed": ["numpy>=2"],
    }


def test_each_schema_is_told_apart() -> None:
    found = changed(input_schema={}, parameter_schema={"properties": {"k": {}}})

    assert found["schemas"] == {"input": True, "output": False, "parameters": True}
    assert found["changed"] == []
