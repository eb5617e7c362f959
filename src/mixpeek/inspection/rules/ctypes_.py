"""Against reaching memory and native libraries past Python."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.ctypes",
    (
        "ctypes",
        "_ctypes",
        "cffi",
        "_cffi_backend",
    ),
    summary="`ctypes` and `cffi` reach memory past Python",
    reason="reads and writes memory past Python, which plugins must not",
    hint="Use a package that wraps the library, and declare it in `dependencies`",
    offending=(
        "import ctypes\nctypes.CDLL(None)",
        "from ctypes import cdll",
        "from cffi import FFI",
    ),
    harmless=(
        "array.ctypes.data",
        "import numpy as np\nnp.ctypeslib",
        "# ctypes",
    ),
    severity=Severity.ERROR,
    can_be_allowed=False,
)
