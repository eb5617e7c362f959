"""Code written to confuse the scan: encodings, line ends, shadows that never happen, and sizes that would not end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mixpeek.inspection.scan import scan, scan_source


def rules_of(source: str | bytes) -> set[str]:
    encoded = source.encode() if isinstance(source, str) else source
    return {finding.rule for finding in scan_source("core.py", encoded)}


def lines_of(source: bytes, rule: str) -> list[tuple[int | None, int | None]]:
    return [(one.line, one.column) for one in scan_source("core.py", source) if one.rule == rule]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (b"import os\ros.system('ls')\r", (2, 1)),
        (b"import os\r\n\r\nos.system('ls')\r\n", (3, 1)),
        (b"import os\n\x0cos.system('ls')\n", (2, 2)),
        (b"import os\nx = '\x1c\x85'.upper(); os.system('ls')\n".decode("latin-1").encode(), (2, 19)),
        (b"\xef\xbb\xbfimport os; os.system('ls')\n", (1, 12)),
        ("import os\nx = '\u2028é'; os.system('ls')\n".encode(), (2, 11)),
        ("# coding: latin-1\nimport os\nx = 'é'; os.system('ls')\n".encode("latin-1"), (3, 10)),
    ],
)
def test_lines_and_columns_are_those_an_editor_shows(source: bytes, place: tuple[int, int]) -> None:
    assert lines_of(source, "security.os_system") == [place]


@pytest.mark.parametrize(
    "source",
    [
        b"# coding: utf-7\nx = 1",
        b"#!/usr/bin/python\n# vim: set fileencoding=utf_16 :\nx = 1",
        b"\x0c# -*- coding: rot13 -*-\nx = 1",
        b"# coding: no_such_codec\nx = 1",
    ],
)
def test_an_odd_coding_line_is_an_error(source: bytes) -> None:
    assert rules_of(source) == {"code.encoding"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_source_in_wide_characters_is_an_error(encoding: str) -> None:
    assert rules_of("import os\nos.system('ls')\n".encode(encoding)) == {"code.syntax"}


@pytest.mark.parametrize("line", ["# coding: utf-8", "# -*- coding: utf_8 -*-", "# coding=ascii", "# coding: Latin-1"])
def test_a_plain_coding_line_is_none(line: str) -> None:
    assert rules_of(f"{line}\nx = 1\n") == set()


def test_a_coding_line_after_code_is_a_comment() -> None:
    assert rules_of("x = 1\n# coding: utf-7\n") == set()


@pytest.mark.parametrize("name", ["a.so", "b.pyc", "c.pyd", "deep/d.DLL", "e.abi3.so"])
def test_compiled_code_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"\0")

    assert [(one.rule, one.path) for one in scan(tmp_path)] == [("code.compiled", name)]


@pytest.mark.parametrize("name", ["x.pth", "sitecustomize.py", "deep/usercustomize.py", "sitecustomize/__init__.py"])
def test_files_that_python_runs_when_it_starts_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"")

    assert [(one.rule, one.is_error) for one in scan(tmp_path)] == [("code.startup_file", True)]


def test_a_module_of_the_plugin_may_be_called_like_one_of_pythons(tmp_path: Path) -> None:
    (tmp_path / "os.py").write_text("def system(text):\n    return text\n")
    (tmp_path / "core.py").write_text("from . import os\nfrom .os import system\nos.system(system('x'))\n")

    assert scan(tmp_path) == []


def test_a_module_that_another_of_the_plugin_holds_is_seen_through_it(tmp_path: Path) -> None:
    (tmp_path / "core.py").write_text("import os\n")
    (tmp_path / "other.py").write_text("from .core import os\nfrom . import core\nos.system('x')\ncore.os.popen('x')\n")

    assert [(one.path, one.line) for one in scan(tmp_path)] == [("other.py", 3), ("other.py", 4)]


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("eval('1')")
    inside = tmp_path / "plugin"
    inside.mkdir()
    (inside / "link.py").symlink_to(outside)

    assert scan(inside) == []


HOSTILE_SIZES = {
    "a name bound to itself very often": "import os\na = os\n" + "a = a or b\n" * 5_000 + "a.system('x')\n",
    "names bound to each other": "".join(f"a{n % 50} = a{(n * 7) % 50} or a{(n * 3) % 50}\n" for n in range(5_000)),
    "a long chain of aliases": "import os\na0 = os\n" + "".join(f"a{n + 1} = a{n}\n" for n in range(8_000)),
    "a chain from the end": "".join(f"a{n} = a{n + 1}\n" for n in range(8_000)) + "import os\na8000 = os\n",
    "many constants to compute": "import os\n" + "getattr(os, 'a' * 4000 + 'b' * 90)\n" * 2_000,
    "a constant too large": "import os\ngetattr(os, 'a' * 10 ** 9)\ngetattr(os, '%999999999d' % 1)\n",
    "constants made of constants": "import os\na0 = 'x'\n"
    + "".join(f"a{n + 1} = a{n} + a{n}\n" for n in range(200))
    + "getattr(os, a200)\n",
    "many meanings of one name": "import os\n" + "".join(f"x = os.a{n}\n" for n in range(5_000)) + "x()\n" * 5_000,
    "a watched name bound everywhere": "if x:\n    open = 1\n" + "y = 1\nopen\n" * 4_000,
    "many comments": "x = 1  # mixpeek: allow[security.open] y\n" * 5_000,
    "deep attributes": "import os\nx = os" + ".a" * 900 + "\n",
    "a deep path": "open(" + " + ".join(["x"] * 800) + ")\n",
    "a deep call": "import os\ngetattr(os, x" + ".a()" * 400 + ")\n",
    "many small things": "x = [" + "[]," * 90_000 + "]\n",
    "many stars": "from a import *\n" * 500 + "x.y.z()\n" * 2_000,
}


@pytest.mark.parametrize("what", HOSTILE_SIZES)
def test_no_code_within_the_limits_takes_the_scan_long(what: str) -> None:
    source = HOSTILE_SIZES[what].encode()
    assert len(source) <= 512 * 1024
    started = time.process_time()

    scan_source("core.py", source)

    assert time.process_time() - started < 4  # most take a tenth of a second


@pytest.mark.parametrize(
    ("what", "rule"),
    [
        ("a name bound to itself very often", "security.os_system"),
        ("a chain from the end", "code.tangled"),
        ("a constant too large", "security.computed_attribute"),
        ("constants made of constants", "security.computed_attribute"),
        ("many meanings of one name", "code.tangled"),
    ],
)
def test_where_the_scan_gives_up_it_says_so(what: str, rule: str) -> None:
    assert rule in rules_of(HOSTILE_SIZES[what])


def test_a_plugin_with_more_python_than_can_be_checked_is_refused(tmp_path: Path) -> None:
    for number in range(33):
        (tmp_path / f"m{number:02}.py").write_bytes(b"#" * (512 * 1024))

    assert [(one.rule, one.path) for one in scan(tmp_path)] == [("code.too_large", "m32.py")]


@pytest.mark.parametrize("unit", ["a\n", "[],", "f();", "a+", "a.", "x="])
def test_small_code_of_very_many_parts_is_refused_before_it_is_parsed(unit: str) -> None:
    source = f"x = [{unit * (400_000 // len(unit))}]\n".encode()
    started = time.process_time()

    assert rules_of(source) == {"code.too_large"}

    assert time.process_time() - started < 1


def test_the_findings_of_a_whole_plugin_are_bounded_and_errors_come_first(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"a_{number}.py").write_text("open(path)\n" * 400)
    (tmp_path / "a_4.py").write_text("eval(text)\n" * 450)

    found = scan(tmp_path)

    assert len(found) == 2001
    assert found[0].rule == "code.too_many_findings"
    assert "`a_4.py`" in found[0].message
    assert sum(finding.rule == "security.eval" for finding in found) == 450
