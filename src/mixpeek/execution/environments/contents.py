"""What an installed environment may hold, and making it readable for the users that hosts run as."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from mixpeek.errors import DependenciesRefused
from mixpeek.execution.environments.installed import FIXED, host_path

# The host's own, and what Python imports by itself at its start, before the host has given up its rights.
_OURS = frozenset({*FIXED, "engine", "shared", "sitecustomize", "usercustomize"})
# As `import x` and `__import__('x')` say it, in the lines of a .pth file that Python runs.
_IMPORTED = re.compile(r"\bimport[ \t]+(\w+)|__import__\(\s*['\"](\w+)")


def check_contents(folder: Path) -> list[str]:
    """Refuse packages that would stand in for the host or for Python's own start.

    Modules of the standard library's names are removed and returned: elsewhere the library comes first on the path and
    hides them, here they would hide the library. So are those that our own .pth files import, as that of setuptools
    does with `_distutils_hack`: Python would run them before the host has given up its rights.

    Raises: DependenciesRefused: naming the package and the module.
    """
    modules = {entry: name for entry in folder.iterdir() if (name := _module(entry)) is not None}
    taken = sorted(name for name in modules.values() if name in _OURS)
    if taken:
        raise DependenciesRefused(
            f"{_owner(folder, taken[0])} brings a top-level module `{taken[0]}`, which only the platform may provide",
            hint="Leave that package out of `dependencies`, or use a version that does not bring it",
        )
    ahead = sys.stdlib_module_names | imported_at_start()
    hidden = {entry: name for entry, name in modules.items() if name in ahead}
    for entry in hidden:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return sorted(set(hidden.values()))


def imported_at_start() -> frozenset[str]:
    """Return the modules that the .pth files of a host's interpreter have it import as it starts."""
    files = [file for folder in host_path() for file in Path(folder).glob("*.pth")]
    lines = [line for file in files for line in file.read_text("utf-8", "replace").splitlines()]
    ran = [line for line in lines if line.startswith(("import ", "import\t"))]
    return frozenset(first or second for line in ran for first, second in _IMPORTED.findall(line))


def settle(folder: Path) -> int:
    """Let every user read the files below a folder; return their size in bytes."""
    size = 0
    for entry in _walk(folder):
        found = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            continue
        needed = 0o555 if stat.S_ISDIR(found.st_mode) else 0o444
        if found.st_mode & needed != needed:
            Path(entry.path).chmod(stat.S_IMODE(found.st_mode) | needed)
        size += found.st_size
    return size


def _module(entry: Path) -> str | None:
    """Return the name under which an entry of the folder can be imported."""
    if entry.is_dir():
        return entry.name if entry.name.isidentifier() else None
    is_code = entry.suffix in (".py", ".pyc", ".so", ".pyd")
    return entry.name.partition(".")[0] if is_code else None


def _owner(folder: Path, module: str) -> str:
    for found in importlib.metadata.distributions(path=[str(folder)]):
        tops = {file.parts[0].partition(".")[0] for file in found.files or ()}
        if module in tops:
            return f"{found.metadata['Name']} {found.version}"
    return "One of the packages"


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
