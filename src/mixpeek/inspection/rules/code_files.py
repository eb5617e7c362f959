"""What the scan says about whole files: those it cannot read as Python, and those that are no source."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import Rule


def _about_files(
    name: str,
    severity: Severity,
    summary: str,
    hint: str,
    offending: str,
    *,
    sample_path: str = "core.py",
    harmless: str = "x = 1",
    is_fixed: bool = True,
) -> Rule:
    return Rule(
        name, severity, summary, hint, (offending,), (harmless,), can_be_allowed=False, is_fixed=is_fixed,
        sample_path=sample_path,
    )  # fmt: skip


COMPILED = _about_files(
    "code.compiled",
    Severity.WARNING,
    "Compiled code cannot be checked",
    "Ship the source, or declare the package in `dependencies`",
    "\x7fELF",
    sample_path="native.so",
    harmless="data",
    is_fixed=False,
)
STARTUP_FILE = _about_files(
    "code.startup_file",
    Severity.ERROR,
    "Python runs `.pth` files, `sitecustomize.py` and `usercustomize.py` by itself when it starts",
    "Delete the file, and do the work in the plugin's own modules",
    "import os",
    sample_path="evil.pth",
    is_fixed=False,
)
ENCODING = _about_files(
    "code.encoding",
    Severity.ERROR,
    "A coding line other than UTF-8, ASCII or Latin-1 can hide what the code says",
    "Save the file as UTF-8 and delete the coding line",
    "# coding: utf-7\nx = 1",
    harmless="# -*- coding: utf-8 -*-\nx = 1",
)
SYNTAX = _about_files(
    "code.syntax",
    Severity.ERROR,
    "The file is not valid Python, so it cannot be checked",
    "Correct the line, then check again",
    "def f(:",
)
TOO_LARGE = _about_files(
    "code.too_large",
    Severity.ERROR,
    "One file of Python may have 512 KiB, and a whole plugin 16 MiB",
    "Split the file, or move its data to a data file",
    "#" * (512 * 1024 + 1),
)
TOO_DEEP = _about_files(
    "code.too_deep",
    Severity.ERROR,
    "The code is nested too deeply to be checked",
    "Split the expression",
    "x = " + "-" * 6_000 + "1",
    harmless="x = --1",
)
TANGLED = _about_files(
    "code.tangled",
    Severity.ERROR,
    "Names are bound to each other in chains too long to be followed",
    "Bind names once, before they are used",
    "def f():\n    return a0\n" + "".join(f"a{n} = a{n + 1}\n" for n in range(200)) + "import os\na200 = os\n",
    harmless="import os\n" + "a0 = os\n" + "".join(f"a{n + 1} = a{n}\n" for n in range(200)),
)
TOO_MANY = _about_files(
    "code.too_many_findings",
    Severity.ERROR,
    "Of the findings in one file, 500 are shown, and 2,000 of all",
    "Repair these, then check again",
    "open(path)\n" * 501,
)

RULES = (COMPILED, STARTUP_FILE, ENCODING, SYNTAX, TOO_LARGE, TOO_DEEP, TANGLED, TOO_MANY)
