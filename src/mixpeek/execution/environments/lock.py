"""The lock of a version: which packages it runs with, exactly. Pure."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Package:
    """One package of a lock, with the sha256 of its wheels; `provided`: the server's own environment had it."""

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    provided: bool = False

    def pin(self) -> str:
        """Return it as a line of a requirements file."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash=sha256:{digest}" for digest in self.hashes)])


@dataclass(frozen=True)
class Lock:
    """The packages a version was resolved to, by name; no addresses, for those may hold credentials."""

    python: str
    packages: tuple[Package, ...]

    @classmethod
    def of(cls, packages: Iterable[Package]) -> Lock:
        """Return a lock made on this interpreter."""
        return cls(".".join(platform.python_version_tuple()[:2]), tuple(sorted(packages)))

    @classmethod
    def from_wire(cls, fields: Mapping[str, Any]) -> Lock:
        """Return a lock as it was recorded."""
        packages = [Package(p["name"], p["version"], tuple(p["sha256"]), p["provided"]) for p in fields["packages"]]
        return cls(fields["python"], tuple(packages))

    def wire(self) -> dict[str, Any]:
        """Return the lock as it is recorded and shown."""
        packages = [
            {"name": p.name, "version": p.version, "sha256": list(p.hashes), "provided": p.provided}
            for p in self.packages
        ]
        return {"python": self.python, "packages": packages}

    def overlay(self, installed: Callable[[str], str | None]) -> tuple[Package, ...]:
        """Return the packages that the server's own environment has not, or has in another version."""
        return tuple(package for package in self.packages if installed(package.name) != package.version)


def key_of(overlay: Iterable[Package]) -> str:
    """Return the name of the environment that holds these packages for this interpreter and machine."""
    content = [
        sys.implementation.cache_tag,
        sysconfig.get_platform(),
        [[p.name, p.version, sorted(p.hashes)] for p in sorted(overlay)],
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]
