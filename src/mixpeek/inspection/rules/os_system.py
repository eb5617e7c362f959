"""Against running a shell or another program through `os`."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import forbid

_MODULES = ("os", "posix", "nt")
_VARIANTS = ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")
_FUNCTIONS = (
    *("system", "popen", "startfile", "posix_spawn", "posix_spawnp"),
    *(f"exec{variant}" for variant in _VARIANTS),
    *(f"spawn{variant}" for variant in _VARIANTS),
)


RULE = forbid(
    "security.os_system",
    [f"{module}.{function}" for module in _MODULES for function in _FUNCTIONS],
    summary="`os.system`, `os.popen`, `os.exec*`, `os.spawn*` and `os.posix_spawn` start programs",
    reason="runs a shell or another program, which plugins must not",
    hint="Do the work in Python; the sandbox starts no other program",
    offending=(
        "import os\nos.system('ls')",
        "import os\ngetattr(os, 'sys' + 'tem')('ls')",
        "from os import popen as run\nrun('ls')",
        "import os\nvars(os)['execv']('/bin/sh', ['sh'])",
    ),
    harmless=(
        "import os\nos.path.join('a', 'b')\nos.environ['HOME']\nos.getpid()",
        "import platform\nplatform.system()",
        "text = 'os.system(1)'",
        "def f(os):\n    os.system('ls')",
    ),
    severity=Severity.ERROR,
    can_be_allowed=False,
)
