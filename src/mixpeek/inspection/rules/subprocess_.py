"""Against starting programs with `subprocess` and its relatives."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.subprocess",
    (
        "subprocess",
        "_posixsubprocess",
        "pty",
        "asyncio.create_subprocess_exec",
        "asyncio.create_subprocess_shell",
        "asyncio.subprocess.create_subprocess_exec",
        "asyncio.subprocess.create_subprocess_shell",
        "asyncio.loop.subprocess_exec",
        "asyncio.loop.subprocess_shell",
        "asyncio.unix_events._UnixSubprocessTransport",
        "pexpect",
        "sh",
        "plumbum",
    ),
    summary="`subprocess`, `pty` and their relatives start programs",
    reason="starts programs, which plugins must not",
    hint="Do the work in Python; the sandbox starts no other program",
    offending=(
        "import subprocess\nsubprocess.run(['ls'])",
        "from subprocess import check_output as read\nread(['id'])",
        "import asyncio\nasyncio.create_subprocess_shell('ls')",
    ),
    harmless=(
        "# import subprocess\ntext = 'subprocess.run'",
        "from .subprocess import run\nrun()",
        "self.subprocess.run()",
    ),
    severity=Severity.ERROR,
    can_be_allowed=False,
)
