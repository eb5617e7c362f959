"""Against modules that start programs on the caller's behalf."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.launchers",
    (
        "webbrowser",
        "antigravity",
        "mailcap",
        "imaplib.IMAP4_stream",
        "pydoc.pipepager",
        "pydoc.tempfilepager",
        "pydoc.pager",
        "ensurepip",
        "venv",
        "pip.main",
        "pip._internal.main",
        "pip._internal.cli.main.main",
        "pip._vendor.distlib.scripts.ScriptMaker",
        "distutils.spawn",
        "setuptools._distutils.spawn",
        "uuid._get_command_stdout",
        "numpy.distutils",
        "test.support.script_helper",
        "platform.popen",
        "builtins.help",
        "IPython.start_ipython",
        "IPython.embed",
        "IPython.utils.process",
        "invoke",
        "fabric",
        "paramiko",
        "commands",
        "popen2",
    ),
    summary="`pip`, `webbrowser`, `pydoc` pagers and others start programs on the caller's behalf",
    reason="starts programs on the caller's behalf, and the sandbox refuses them",
    hint="Declare packages in `dependencies`; do the rest in Python",
    offending=(
        "import pip\npip.main(['install', 'x'])",
        "import webbrowser\nwebbrowser.open('http://host')",
        "from imaplib import IMAP4_stream",
    ),
    harmless=(
        "import pydoc\npydoc.getdoc(f)",
        "parser.help()\nhelp = 'text'\nhelp.upper()",
        "import uuid\nuuid.uuid4()",
    ),
)
