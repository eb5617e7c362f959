"""The name under which a host imports a plugin; any folder name will do."""

from __future__ import annotations

import keyword
import re
import sys

# Names that the host itself imports; a plugin of that name would stand in their way.
_TAKEN = frozenset(
    {"mixpeek", "engine", "shared", "pydantic", "numpy", "pandas", "pyarrow", "pytest", "packaging", "pyseccomp"}
)
_FALLBACK = "plugin"


def package_name(*candidates: str | None) -> str:
    """Return the first candidate that is not empty, as an identifier that hides no other module."""
    chosen = next((candidate for candidate in candidates if candidate), _FALLBACK)
    name = re.sub(r"\W", "_", chosen, flags=re.ASCII)
    if not name.strip("_"):
        name = _FALLBACK
    if name[0].isdigit():
        name = f"_{name}"
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or name in _TAKEN:
        name = f"{name}_plugin"
    return name
