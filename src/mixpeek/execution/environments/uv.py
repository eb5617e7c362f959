"""Runs uv: resolve, pin, install. It sees our own settings and nothing of a plugin but checked requirements.

uv runs with the server's rights, so it may never run what it fetches: wheels only, nothing is built.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mixpeek.errors import EnvironmentUnavailable
from mixpeek.execution.environments.installed import FIXED, Packages, base_requirements, plain
from mixpeek.execution.environments.lock import Package
from mixpeek.execution.environments.resolver import failure_from
from mixpeek.execution.environments.sources import Sources, redact
from mixpeek.inspection.findings import escape

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Uv:
    """One uv with its cache, told where packages come from; every run ends by `deadline`, a monotonic time."""

    sources: Sources
    cache: Path
    deadline: float

    def resolve(self, dependencies: Sequence[Requirement]) -> tuple[Package, ...]:
        """Return the packages to install beside the server's own so that all requirements hold, with their hashes.

        What is installed already stays as it is where it fits. The host's requirements take part.

        Raises: DependenciesRefused: there is no such set. EnvironmentUnavailable: it cannot be found out now.
        """
        roots = [plain(one) for one in (*dependencies, *base_requirements())]
        fixed = [f"{name}=={version}" for name in FIXED if (version := Packages().version(name)) is not None]
        with _workplace() as place:
            line = ["pip", "install", "--dry-run", "--output-format", "json", "--break-system-packages"]
            line += ["--requirements", _list(place, "wanted", roots), "--constraints", _list(place, "fixed", fixed)]
            plan = json.loads(self._run(place, line, known=self._names(dependencies)))
        changes: list[dict[str, Any]] = plan["changes"]
        chosen = {str(canonicalize_name(c["name"])): str(c["version"]) for c in changes if c["action"] == "installed"}
        return self._pinned(chosen) if chosen else ()

    def install(self, packages: Iterable[Package], target: Path) -> None:
        """Install exactly these packages into a folder, checking their hashes, and compile them.

        Raises: as `resolve`.
        """
        pins = [package.pin() for package in packages]
        with _workplace() as place:
            line = ["pip", "install", "--no-deps", "--compile-bytecode", "--link-mode", "hardlink"]
            line += ["--target", str(target), "--requirements", _list(place, "pins", pins)]
            self._run(place, line, is_locked=True)
        # The lock of this one run, which anyone could write to.
        (target / ".lock").unlink(missing_ok=True)

    def clean(self) -> None:
        """Empty the cache; what was installed from it stays whole, for the files are linked, not shared."""
        with _workplace() as place:
            self._run(place, ["cache", "clean"])

    def _pinned(self, chosen: dict[str, str]) -> tuple[Package, ...]:
        """Return the packages with the hashes of their wheels; uv knows them from the index, or reads the files."""
        pins = [f"{name}=={version}" for name, version in chosen.items()]
        with _workplace() as place:
            line = ["pip", "compile", "--no-deps", "--format", "pylock.toml", "--no-header", "--quiet"]
            printed = self._run(place, [*line, _list(place, "chosen", pins)])
        found = {str(canonicalize_name(p["name"])): _hashes(p) for p in tomllib.loads(printed).get("packages", [])}
        return tuple(sorted(Package(name, version, found.get(name, ())) for name, version in chosen.items()))

    def _names(self, dependencies: Sequence[Requirement]) -> set[str]:
        """Return names of packages that are here for sure, which a misspelt one may have been meant for."""
        folders = [Path(place) for place in self.sources.find_links if Path(place).is_dir()]
        wheels = {canonicalize_name(path.name.partition("-")[0]) for folder in folders for path in folder.glob("*.whl")}
        installed = {canonicalize_name(one.name) for one in dependencies if Packages().find(one.name)}
        return wheels | installed

    def _run(self, place: Path, arguments: list[str], *, known: Collection[str] = (), is_locked: bool = False) -> str:
        """Run uv in an empty folder and return what it printed to stdout."""
        line = [_program(), *arguments, "--no-config", "--color", "never", "--no-progress"]
        if arguments[0] == "pip":
            line += ["--python", sys.executable, "--no-build", *self.sources.arguments()]
        process = subprocess.Popen(
            line,
            cwd=place,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            umask=0o022,
        )
        try:
            out, err = process.communicate(timeout=max(0.1, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _end(process)
            raise EnvironmentUnavailable(
                "The plugin's environment was not built in time", hint="Deploy again; what was fetched so far is kept"
            ) from None
        except BaseException:
            _end(process)
            raise
        printed = err.decode(errors="replace")
        log.info("uv %s: %s", " ".join(arguments[:2]), escape(redact("; ".join(printed.splitlines()))))
        if process.returncode != 0:
            base = {canonicalize_name(one.name) for one in base_requirements()}
            raise failure_from(printed, known, base, is_locked=is_locked)
        return out.decode(errors="replace")

    def _variables(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            # For .netrc only: there is where an operator keeps the credentials of an index.
            "HOME": os.environ.get("HOME", "/"),
            "UV_CACHE_DIR": str(self.cache),
            "UV_PYTHON_DOWNLOADS": "never",
            **self.sources.variables(),
        }


@contextlib.contextmanager
def _workplace() -> Any:
    """Yield an empty folder: uv looks for a project's settings where it runs."""
    with tempfile.TemporaryDirectory(prefix="mixpeek-uv-") as folder:
        yield Path(folder)


def _list(place: Path, name: str, lines: Iterable[str]) -> str:
    path = place / f"{name}.in"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def _hashes(package: dict[str, Any]) -> tuple[str, ...]:
    found = {wheel.get("hashes", {}).get("sha256") for wheel in package.get("wheels", [])}
    return tuple(sorted(digest for digest in found if isinstance(digest, str)))


def _program() -> str:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        raise EnvironmentUnavailable(
            "uv, which builds environments, is not installed", hint="Run `pip install 'mixpeek[server]'`"
        ) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
