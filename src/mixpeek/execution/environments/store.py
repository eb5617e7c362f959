"""The environments of a data dir: one folder per set of packages, built once, shared by whoever needs that set.

Several processes may build at once; a folder of a key's name is whole, or is noticed not to be and built again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from mixpeek.errors import DependenciesRefused, EnvironmentUnavailable, MixpeekError
from mixpeek.execution.environments.contents import check_contents, settle
from mixpeek.execution.environments.installed import Packages, base_requirements, reach
from mixpeek.execution.environments.lock import Lock, Package, key_of
from mixpeek.execution.environments.sources import Sources, sources_from_settings
from mixpeek.execution.environments.uv import Uv
from mixpeek.inspection.dependencies import requirements_from

log = logging.getLogger(__name__)

_MARKER = "environment.json"
_PACKAGES = "packages"
_LOCK_POLL_S = 0.05
# Folders of builders that died, unless a later build of the same packages has cleared them already.
_ABANDONED_S = 86_400.0


@dataclass(frozen=True)
class Prepared:
    """An environment that can be used: its lock, the folders that come first on a host's path, and how it came."""

    lock: Lock
    folders: tuple[Path, ...]
    summary: str


@dataclass(frozen=True)
class Environments:
    """Builds environments below `root`.

    Args:
        index_url, wheelhouse: as in the settings; without both, pip's own settings decide.
        timeout_s: for resolving and installing together.
        max_bytes: most that one environment may take; 0 is no limit.
    """

    root: Path
    index_url: str | None = None
    wheelhouse: Path | None = None
    timeout_s: float = 300.0
    max_bytes: int = 0

    def prepare(self, dependencies: Sequence[str], recorded: Lock | None = None) -> Prepared:
        """Return the environment of these dependencies, building what is not there.

        With a recorded lock, exactly its packages are used, whatever has been released since.

        Raises: DependenciesRefused: they cannot be installed together. EnvironmentUnavailable: not now, or not here.
        """
        wanted = _read(dependencies)
        deadline = time.monotonic() + self.timeout_s
        if recorded is None:
            held = reach(wanted, Packages())
            if not held.faults:
                return _provided(held.versions)
            return self._finished(wanted, self._uv(deadline).resolve(wanted), None, deadline)
        overlay = recorded.overlay(Packages().version)
        if not overlay:
            return Prepared(recorded, (), "the platform's own packages are those of the lock")
        try:
            return self._finished(wanted, overlay, recorded, deadline)
        except MixpeekError as error:
            # The platform was upgraded, and what it used to bring cannot be had any more.
            held = reach(wanted, Packages())
            if held.faults or not all(package.provided for package in overlay):
                raise
            log.warning("using the platform's own packages, not the recorded ones: %s", error.message)
            return Prepared(recorded, (), "the platform's own packages, newer than those of the lock")

    def is_provided(self, dependencies: Sequence[str]) -> bool:
        """Tell whether the server's own environment satisfies these dependencies."""
        return not reach(_read(dependencies), Packages()).faults

    def clear(self, live: Iterable[Lock], days: float) -> int:
        """Remove environments that no live lock needs and none was started from for that long; return how many."""
        if not self.root.is_dir():
            return 0
        installed = Packages().version
        used = {key_of(lock.overlay(installed)) for lock in live}
        now = time.time()
        cleared = 0
        for path in self.root.iterdir():
            age = now - path.stat().st_mtime
            if path.name.startswith(".building-") and age > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)
            elif not path.name.startswith(".") and path.name not in used and age > days * 86_400:
                # Whoever holds its lock is about to use it: next time, then.
                with contextlib.suppress(EnvironmentUnavailable), self._alone(path.name, time.monotonic()):
                    cleared += _is_removed(path)
        if cleared:
            self._uv(time.monotonic() + self.timeout_s).clean()
        return cleared

    def _finished(
        self, wanted: Sequence[Requirement], overlay: Sequence[Package], recorded: Lock | None, deadline: float
    ) -> Prepared:
        """Build the overlay where it is not there, see that everything fits, and complete the lock."""
        began = time.monotonic()
        folder, is_new = self._folder(overlay, deadline)
        found = reach([*wanted, *base_requirements()], Packages(folder))
        if found.faults:
            raise DependenciesRefused(
                f"The packages of this version no longer fit this server: {found.faults[0]}",
                hint="Publish a new version; it is resolved afresh",
            )
        took = f"built in {time.monotonic() - began:.1f} s" if is_new else "built before"
        summary = f"{took}: {', '.join(f'{package.name} {package.version}' for package in overlay)}"
        if recorded is None:
            reached = reach(wanted, Packages(folder)).versions
            ours = {package.name for package in overlay}
            provided = [Package(n, v, provided=True) for n, v in reached.items() if n not in ours]
            recorded = Lock.of([*overlay, *provided])
        return Prepared(recorded, (folder,), summary)

    def _folder(self, overlay: Sequence[Package], deadline: float) -> tuple[Path, bool]:
        """Return the folder of these packages, and whether it was built just now."""
        key = key_of(overlay)
        path = self.root / key
        if _is_whole(path):
            os.utime(path)
            return path / _PACKAGES, False
        with self._alone(key, deadline):
            if _is_whole(path):
                return path / _PACKAGES, False
            self._build(key, overlay, deadline)
        return path / _PACKAGES, True

    def _build(self, key: str, overlay: Sequence[Package], deadline: float) -> None:
        for abandoned in self.root.glob(f".building-{key}-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        building = Path(tempfile.mkdtemp(dir=self.root, prefix=f".building-{key}-"))
        try:
            packages = building / _PACKAGES
            packages.mkdir(mode=0o755)
            packages.chmod(0o755)
            self._uv(deadline).install(overlay, packages)
            hidden = check_contents(packages)
            if hidden:
                log.warning("left out of environment %s, for the library has them: %s", key, ", ".join(hidden))
            size = settle(packages)
            if self.max_bytes and size > self.max_bytes:
                raise DependenciesRefused(
                    f"The dependencies take {size:,} bytes, and an environment may have {self.max_bytes:,}",
                    hint="Declare fewer or smaller packages, or ask the operator for MIXPEEK_MAX_ENVIRONMENT_BYTES",
                )
            entries = sorted(entry.name for entry in packages.iterdir())
            (building / _MARKER).write_text(json.dumps({"entries": entries, "size_bytes": size}))
            # Renamed only once its files are on the disk: after a power cut the name would vouch for empty ones.
            os.sync()
            _replace(self.root / key, building)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    @contextlib.contextmanager
    def _alone(self, key: str, deadline: float) -> Iterator[None]:
        """Hold what only one process at a time may do with environments of such a key; a killed one lets go."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.root / f".lock-{key[:2]}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise EnvironmentUnavailable(
                            "Another process is still building this environment", hint="Deploy again in a while"
                        ) from None
                    time.sleep(_LOCK_POLL_S)
            yield
        finally:
            os.close(descriptor)

    def _uv(self, deadline: float) -> Uv:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        environ: Mapping[str, str] = os.environ
        sources: Sources = sources_from_settings(self.index_url, self.wheelhouse, environ)
        return Uv(sources, self.root / ".cache", deadline)


def _read(dependencies: Sequence[str]) -> list[Requirement]:
    """Return what applies here of the dependencies; they were checked before, but uv takes our word for them."""
    for text in dependencies:
        try:
            is_plain = text.isprintable() and Requirement(text).url is None
        except InvalidRequirement:
            is_plain = False
        if not is_plain:
            raise DependenciesRefused(f"{text!r} is no package name with a version range")
    return requirements_from(dependencies)


def _provided(versions: Mapping[str, str]) -> Prepared:
    lock = Lock.of(Package(name, version, provided=True) for name, version in versions.items())
    return Prepared(lock, (), "the platform's own packages satisfy every dependency")


def _is_whole(path: Path) -> bool:
    try:
        marker = json.loads((path / _MARKER).read_text())
        there = {entry.name for entry in (path / _PACKAGES).iterdir()}
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and set(marker.get("entries", ())) == there


def _replace(path: Path, building: Path) -> None:
    """Rename into place; what stood there was not whole."""
    if path.exists():
        broken = building.with_name(f"{building.name}-broken")
        path.rename(broken)
        shutil.rmtree(broken, ignore_errors=True)
    building.rename(path)


def _is_removed(path: Path) -> bool:
    """Remove an environment; False, and a line in the log, if something of it stays."""
    try:
        shutil.rmtree(path)
    except OSError as error:
        log.warning("environment %s could not be removed, trying again at the next turn: %s", path, error)
        return False
    return True
