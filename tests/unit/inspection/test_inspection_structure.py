"""Structure checks and the shape of findings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mixpeek.inspection.findings import Severity, error, escape, in_order, warning
from mixpeek.inspection.scan import scan
from mixpeek.inspection.structure import check_structure

SAMPLE = Path(__file__).parents[2] / "contract" / "s2_sample" / "my_extractor"


def write(root: Path, **files: str) -> None:
    for name, text in {"manifest": "metadata = {}", "pipeline": "def build_steps(r): ...", **files}.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_documented_sample_has_no_finding() -> None:
    assert check_structure(SAMPLE) == []
    assert scan(SAMPLE) == []


@pytest.mark.parametrize("name", ["manifest.py", "pipeline.py"])
def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    (tmp_path / name).unlink()

    (finding,) = check_structure(tmp_path)

    assert (finding.rule, finding.path, finding.severity) == ("structure.missing_file", name, Severity.ERROR)


def test_a_file_in_the_wrong_place_is_pointed_out(tmp_path: Path) -> None:
    write(tmp_path, src__manifest="metadata = {}")
    (tmp_path / "manifest.py").unlink()

    (finding,) = check_structure(tmp_path)

    assert "`src/manifest.py`" in finding.hint


@pytest.mark.parametrize("name", ["Manifest.py", "MANIFEST.PY", "manifest.PY"])
def test_a_file_in_the_wrong_case_is_to_be_renamed(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    (tmp_path / "manifest.py").rename(tmp_path / name)

    (finding,) = check_structure(tmp_path)

    assert (finding.rule, finding.path) == ("structure.missing_file", "manifest.py")
    assert f"Rename `{name}` to `manifest.py`" in finding.hint


def test_a_plugin_nested_too_deep_is_one_finding_that_names_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "src" / "my_plugin")
    (tmp_path / "setup.py").write_text("x = 1")

    (finding,) = check_structure(tmp_path)

    assert (finding.rule, finding.path) == ("structure.nested", "src/my_plugin")


def test_a_folder_without_python_is_one_finding(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")

    assert [finding.rule for finding in check_structure(tmp_path)] == ["structure.no_python"]


@pytest.mark.parametrize("name", ["json", "numpy", "types", "pydantic"])
def test_a_module_that_an_import_never_finds_is_a_warning(tmp_path: Path, name: str) -> None:
    write(tmp_path, **{name: "x = 1", f"processors__{name}": "x = 1"})
    write(tmp_path / "other", **{f"{name}__core": "x = 1"})

    (finding,) = check_structure(tmp_path)
    (folder,) = check_structure(tmp_path / "other")

    assert (finding.rule, finding.path, finding.severity) == (
        "structure.shadows_module",
        f"{name}.py",
        Severity.WARNING,
    )
    assert folder.path == name


@pytest.mark.parametrize("name", ["engine", "shared", "mixpeek"])
def test_a_folder_or_module_hidden_by_the_platform_is_an_error(tmp_path: Path, name: str) -> None:
    write(tmp_path, **{f"{name}__tools": "x = 1"})
    write(tmp_path / "other", **{name: "x = 1"})

    assert [(one.rule, one.path) for one in check_structure(tmp_path)] == [("structure.reserved_folder", name)]
    assert [one.path for one in check_structure(tmp_path / "other")] == [f"{name}.py"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = 1", ["structure.no_build_steps"]),
        ("class P:\n    build_step = 1", ["structure.no_build_steps"]),
        ("async def build_steps(r): ...", []),
        ("from .steps import build_steps", []),
        ("from .steps import make as build_steps", []),
        ("from .steps import *", []),
        ("build_steps = make()", []),
        ("def broken(:", []),
    ],
)
def test_pipeline_must_offer_build_steps(tmp_path: Path, code: str, expected: list[str]) -> None:
    write(tmp_path, pipeline=code)

    assert [finding.rule for finding in check_structure(tmp_path)] == expected


def test_a_scan_covers_every_folder_and_sorts_by_path_and_line(tmp_path: Path) -> None:
    write(tmp_path, processors__core="import os\nos.system('a')\nimport socket\n", a="eval('1')")
    (tmp_path / "fast.so").write_bytes(b"\x7fELF")

    findings = scan(tmp_path)

    assert [(finding.place, finding.rule) for finding in findings] == [
        ("a.py:1:1", "security.eval"),
        ("fast.so", "code.compiled"),
        ("processors/core.py:2:1", "security.os_system"),
        ("processors/core.py:3:8", "security.socket"),
    ]


def test_text_from_a_plugin_cannot_steer_a_terminal() -> None:
    finding = error("x.y", "a\x1b[2Jb\nc\u202ed", hint="h\r", path="p\x07.py")

    assert finding.message == "a\\x1b[2Jb\\nc\\u202ed"
    assert (finding.hint, finding.path) == ("h\\r", "p\\x07.py")
    assert escape("größe ✓ 日本") == "größe ✓ 日本"
    assert escape("\udcff") == "\\udcff"


def test_a_finding_reads_on_the_wire_as_documented() -> None:
    finding = warning("a.b", "said", hint="do", path="core.py", line=3, column=1)

    assert finding.wire() == {
        "rule": "a.b",
        "severity": "warning",
        "path": "core.py",
        "file": "core.py",
        "line": 3,
        "column": 1,
        "message": "said",
        "hint": "do",
    }


def test_findings_are_ordered_and_never_repeated() -> None:
    late, early = error("r", "m", hint="h", path="b.py", line=9), error("r", "m", hint="h", path="b.py", line=2)
    first = error("r", "m", hint="h", path="a.py", line=99)

    assert in_order([late, early, first, early]) == [first, early, late]


def test_inspection_is_light_to_import() -> None:
    code = (
        "import sys, mixpeek.inspection.scan, mixpeek.inspection.manifest, mixpeek.inspection.archive, "
        "mixpeek.inspection.pack, mixpeek.inspection.structure\n"
        "sys.exit(','.join({'pandas', 'numpy', 'pyarrow', 'httpx'} & set(sys.modules)) or 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
