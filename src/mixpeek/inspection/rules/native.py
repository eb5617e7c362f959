"""Rules against reaching memory and native libraries past Python."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULES = (
    forbid(
        "security.ctypes",
        ("ctypes", "_ctypes"),
        summary="`ctypes` reaches memory past Python",
        reason="reads and writes memory past Python, which plugins must not",
        hint="Use a package that wraps the library, and declare it in `dependencies`",
    ),
)
