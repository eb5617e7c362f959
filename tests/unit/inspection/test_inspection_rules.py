"""Every rule over plugin code, on code that breaks it and on code that only looks as if it did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from mixpeek.inspection.rules import FILE_RULES, KNOWN, LINT_RULES, RULES, SECURITY_RULES
from mixpeek.inspection.rules.base import Rule
from mixpeek.inspection.scan import scan, scan_source

OFFENDING: dict[str, list[str]] = {
    "security.subprocess": [
        "import subprocess",
        "import subprocess as sp\nsp.run([])",
        "from subprocess import run",
        "from subprocess import *",
        "import asyncio\nasyncio.create_subprocess_shell('ls')",
        "import importlib\nimportlib.import_module('subprocess')",
        "from importlib import import_module as load\nload('sub' + 'process')",
        "import sys\nsys.modules['subprocess'].run([])",
        "import os\nos.subprocess.run([])",
        "def late():\n    import subprocess",
    ],
    "security.os_system": [
        "import os\nos.system('ls')",
        "import os as o\no.system('ls')",
        "from os import system",
        "from os import system as run\nrun('ls')",
        "from os import *\nsystem('ls')",
        "import os\ngetattr(os, 'system')('ls')",
        "import os\ngetattr(os, 'sys' + 'tem')('ls')",
        "import os\ngetattr(os, f'system')('ls')",
        "import os\nalias = os\nalias.popen('ls')",
        "import os\na, b = 1, os\nb.execv('ls', [])",
        "import os\n(o := os).spawnl(0, 'ls')",
        "import os\nvars(os)['system']('ls')",
        "import os\nos.__dict__['system']('ls')",
        "import os\nos.__getattribute__('system')('ls')",
        "import shutil\nshutil.os.system('ls')",
        "import sys\nsys.modules.get('os').system('ls')",
        "import importlib\nimportlib.import_module('os').system('ls')",
        "import os\nf = os.system if True else print",
        "import os\nclass A:\n    run = os.system",
        "def outer():\n    import os\n    def inner():\n        os.system('ls')",
        "def set_up():\n    global o\n    import os as o\ndef use():\n    o.system('ls')",
        "import posix\nposix.system('ls')",
    ],
    "security.multiprocessing": [
        "import multiprocessing",
        "from multiprocessing import Pool",
        "from concurrent.futures import ProcessPoolExecutor",
        "import os\nos.fork()",
    ],
    "security.eval": [
        "eval('1')",
        "import builtins\nbuiltins.eval('1')",
        "from builtins import eval as e\ne('1')",
        "e = eval\ne('1')",
        "list(map(eval, ['1']))",
        "getattr(__builtins__, 'eval')('1')",
        "__builtins__['eval']('1')",
        "globals()['__builtins__'].eval('1')",
        "class Model:\n    def eval(self):\n        return eval('1')",
        "def f(run=eval):\n    return run('1')",
        "@eval\ndef f(): ...",
    ],
    "security.exec": [
        "exec('x = 1')",
        "import builtins as b\nb.exec('x = 1')",
        "[run('x') for run in (exec,)]",
        "import builtins\nvars(builtins)['exec']('x = 1')",
    ],
    "security.compile": [
        "compile('1', 'f', 'eval')",
        "import runpy",
        "from types import FunctionType\nFunctionType(code, {})",
    ],
    "security.dunder_import": [
        "__import__('json')",
        "load = __import__",
        "import builtins\nbuiltins.__import__('json')",
        "import importlib\nimportlib.__import__('json')",
    ],
    "security.computed_import": [
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module\nimport_module(name=f'{a}.b')",
    ],
    "security.socket": ["import socket", "import socket as s", "from socket import socket", "import socketserver"],
    "security.ctypes": ["import ctypes", "from ctypes import cdll", "import ctypes.util"],
    "security.computed_attribute": ["import os\ngetattr(os, name)", "import builtins as b\ngetattr(b, n + 'l')"],
    "security.insides": ["().__class__.__base__.__subclasses__()", "f.__globals__['os']"],
}

HARMLESS: dict[str, list[str]] = {
    "security.subprocess": [
        "# import subprocess",
        "'subprocess'",
        "from .subprocess import run",
        "self.subprocess.run()",
    ],
    "security.os_system": [
        "import os\nos.path.join('a', 'b')\nos.environ['HOME']\nos.getpid()",
        "text = 'os.system(1)'",
        "def f(os):\n    os.system('ls')",
        "class os:\n    pass\nos.system",
        "from .platform import system\nsystem()",
        "import platform\nplatform.system()",
        "getattr(model, 'system')",
        "import os\ngetattr(os, 'environ')",
    ],
    "security.multiprocessing": [
        "import threading",
        "torch.multiprocessing.set_sharing_strategy('x')",
    ],
    "security.eval": [
        "model.eval()",
        "self.model = model.eval()",
        "import pandas as pd\npd.eval('1 + 1')\nframe.eval('a + b')",
        "import ast\nast.literal_eval('1')",
        "def eval(x):\n    return x\neval(1)",
        "def f(eval):\n    return eval(1)",
        "from .scoring import eval\neval(1)",
        "# eval('1')\n'eval(1)'",
        "class Model:\n    def eval(self): ...\n    train = eval",
    ],
    "security.exec": [
        "cursor.exec('select 1')",
        "session.exec(query)",
        "class Runner:\n    def exec(self): ...",
        "'exec'",
    ],
    "security.compile": ["import re\nre.compile('a+')", "model.compile(optimizer)", "torch.compile(model)"],
    "security.dunder_import": ["'__import__'", "import json", "import importlib\nimportlib.import_module('json')"],
    "security.computed_import": [
        "import importlib\nimportlib.import_module('json')",
        "from importlib import import_module\nimport_module(name='numpy')",
        "loader.import_module(name)",
    ],
    "security.socket": ["from .socket import Plug", "socket_timeout = 3", "client.socket.close()", "'socket'"],
    "security.ctypes": ["array.ctypes.data", "import numpy as np\nnp.ctypeslib", "# ctypes"],
    "security.computed_attribute": ["getattr(model, name)", "import os\ngetattr(os, 'environ')"],
    "security.insides": ["self.__class__.__name__", "f.__name__", "'__globals__'"],
}


def _rules_of(code: str) -> set[str]:
    return {finding.rule for finding in scan_source("core.py", dedent(code).encode())}


def _samples(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(rule, code) for rule, codes in table.items() for code in codes]


def test_every_rule_has_a_name_of_its_own_a_summary_a_hint_and_both_kinds_of_sample() -> None:
    names = [rule.name for rule in (*RULES, *FILE_RULES)]

    assert len(names) == len(set(names)) == len(KNOWN)
    for rule in KNOWN.values():
        assert rule.summary and rule.hint, rule.name
        assert rule.offending and rule.harmless, rule.name


def test_every_rule_has_a_file_of_its_own() -> None:
    folder = Path(__file__).parents[3] / "src" / "mixpeek" / "inspection" / "rules"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "base", "code_files", "allow_comments"}

    lint = {path.stem for path in (folder / "lint").glob("*.py")} - {"__init__"}
    assert (len(files), len(lint)) == (len(SECURITY_RULES), len(LINT_RULES))


def _rule_samples(kind: str) -> list[tuple[Rule, str]]:
    return [(rule, code) for rule in KNOWN.values() for code in getattr(rule, kind)]


def _found(folder: Path, path: str, code: str, beside: Mapping[str, str] | None = None) -> set[str]:
    for name, text in (beside or {}).items():
        (folder / name).write_text(text)
    (folder / path).write_bytes(code.encode("utf-8", "surrogateescape"))
    return {finding.rule for finding in scan(folder)}


@pytest.mark.parametrize(("rule", "code"), _rule_samples("offending"), ids=lambda value: getattr(value, "name", ""))
def test_the_offending_sample_of_a_rule_is_found_by_it(tmp_path: Path, rule: Rule, code: str) -> None:
    assert rule.name in _found(tmp_path, rule.sample_path, code, rule.sample_beside)


@pytest.mark.parametrize(("rule", "code"), _rule_samples("harmless"), ids=lambda value: getattr(value, "name", ""))
def test_the_harmless_sample_of_a_rule_has_no_finding(tmp_path: Path, rule: Rule, code: str) -> None:
    path = rule.sample_path if rule in LINT_RULES else "core.py"
    assert _found(tmp_path, path, code, rule.sample_beside) == set()


@pytest.mark.parametrize(("rule", "code"), _samples(OFFENDING))
def test_offending_code_is_found_by_its_rule(rule: str, code: str) -> None:
    assert rule in _rules_of(code)


@pytest.mark.parametrize(("rule", "code"), _samples(HARMLESS))
def test_harmless_code_has_no_finding(rule: str, code: str) -> None:
    assert _rules_of(code) == set()


def test_findings_say_file_line_and_column_in_characters() -> None:
    code = "import os\nname = 'é'; os.system('ls')\n"

    (finding,) = scan_source("processors/core.py", code.encode())

    assert (finding.path, finding.line, finding.column) == ("processors/core.py", 2, 13)
    assert "`os.system`" in finding.message


def test_a_forbidden_module_is_reported_at_its_import_and_not_at_every_use() -> None:
    code = "import subprocess\nsubprocess.run([])\nsubprocess.run([])\n"

    assert [finding.line for finding in scan_source("core.py", code.encode())] == [1]


def test_an_alias_is_reported_where_it_was_taken() -> None:
    code = "import os\nrun = os.system\nrun('ls')\nrun('ls')\n"

    assert [finding.line for finding in scan_source("core.py", code.encode())] == [2]


@pytest.mark.parametrize(
    ("source", "rule", "line"),
    [
        (b"x = 1\ndef f(:\n", "code.syntax", 2),
        (b"x = '\x00'", "code.syntax", None),
        (b"\xff\xfe\x00", "code.syntax", None),
        (b"x = " + b"(" * 5_000 + b")" * 5_000, None, None),
        (b"#" * (5 * 1024 * 1024), "code.too_large", None),
    ],
)
def test_code_that_cannot_be_parsed_is_an_error_and_not_a_crash(
    source: bytes, rule: str | None, line: int | None
) -> None:
    (finding,) = scan_source("core.py", source)

    assert finding.is_error
    assert rule is None or finding.rule == rule
    assert line is None or finding.line == line


def test_long_chains_and_deep_nesting_are_walked_without_exhausting_the_stack() -> None:
    chain = "import os\nx = " + " + ".join(["1"] * 900) + "\n"
    ladder = (
        "if a == 0:\n    pass\n" + "".join(f"elif a == {n}:\n    pass\n" for n in range(500)) + "else:\n    eval(a)\n"
    )
    aliases = "import os\na0 = os\n" + "".join(f"a{n + 1} = a{n}\n" for n in range(500)) + "a500.system('ls')\n"

    assert _rules_of(chain) == set()
    assert _rules_of(ladder) == {"security.eval"}
    assert _rules_of(aliases) == {"security.os_system"}


def test_names_bound_to_themselves_end() -> None:
    assert _rules_of("a = b\nb = a\na = a or b\na.system()\n") == set()


def test_a_module_that_declares_a_coding_line_is_read_in_it() -> None:
    code = "# -*- coding: latin-1 -*-\nname = 'é'\nimport socket\n".encode("latin-1")

    assert [finding.line for finding in scan_source("core.py", code)] == [3]
