"""The author's own surroundings, so that a plugin runs here with what the author has: virtual environment, PYTHONPATH.

The interpreter is the one that runs this command; what lies in its own environment needs no mention.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

# A host has its own of these; the author's in their place would take away its scratch space or its devices.
_HOSTS_OWN = frozenset(map(Path, ("/", "/dev", "/dev/shm", "/plugin", "/proc", "/tmp")))  # noqa: S108


@dataclass(frozen=True)
class Surroundings:
    """Folders of modules that a host must be given, in search order, and what of the author's it cannot have."""

    paths: tuple[Path, ...]
    warnings: tuple[str, ...]


def read_surroundings() -> Surroundings:
    """Return the surroundings of this process: PYTHONPATH, then the active environment if we run in another one."""
    # Our own sources are always given; the folder around them may hold anything.
    known = {Path(__file__).resolve().parents[2]}
    paths: list[Path] = []
    warnings: list[str] = []
    environment = _active_environment()
    packages = None if environment is None else _packages_of(environment)
    if packages is not None and not packages.is_dir():
        warnings.append(f"{environment} is active, but belongs to another Python; its packages are not seen")
    for path in (*_python_path(), *([] if packages is None else [packages])):
        if path in _HOSTS_OWN:
            warnings.append(f"PYTHONPATH names {path}, of which a plugin has its own; modules there are not seen")
        elif path not in known and path.exists():
            known.add(path)
            paths.append(path)
    return Surroundings(tuple(paths), tuple(warnings))


def _python_path() -> list[Path]:
    return [Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]


def _active_environment() -> Path | None:
    """Return the virtual environment that is active, unless this program runs in it."""
    named = os.environ.get("VIRTUAL_ENV")
    if not named or Path(named).resolve() == Path(sys.prefix).resolve():
        return None
    return Path(named).resolve()


def _packages_of(environment: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return environment / "lib" / version / "site-packages"
