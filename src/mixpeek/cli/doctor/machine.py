"""What plugins need of this machine: a Python, walls around them, memory."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mixpeek.cli.doctor.diagnosis import Diagnosis
from mixpeek.execution import sandbox

_OLDEST = (3, 11)
_GIB = 1024**3
# One host with the default limit; below it, whoever starts one may be ended by the kernel.
_LEAST_MEMORY_BYTES = 2 * _GIB
# Kernel settings that forbid user namespaces, each with the value that does.
_FORBIDDING = {
    "kernel/unprivileged_userns_clone": "0",
    "user/max_user_namespaces": "0",
    "kernel/apparmor_restrict_unprivileged_userns": "1",
}


def look_at_python() -> Iterator[Diagnosis]:
    """Say which Python runs this."""
    version = f"{platform.python_implementation()} {platform.python_version()} in {sys.prefix}"
    if sys.version_info >= _OLDEST:
        yield Diagnosis("Python", "passed", version)
    else:
        yield Diagnosis("Python", "failed", version, "Install Python 3.11 or newer")


def look_at_sandbox() -> Iterator[Diagnosis]:
    """Try the sandbox, and say which of its parts is missing."""
    status = sandbox.probe()
    if status.mode == "bubblewrap":
        yield Diagnosis("Sandbox", "passed", f"bubblewrap: {status.detail}")
        return
    if status.mode == "off":
        yield Diagnosis("Sandbox", "warned", status.detail, f"Unset {sandbox.MODE_VARIABLE} to isolate plugins")
        return
    yield Diagnosis("Sandbox", "failed", status.detail, _repair(status.detail))
    yield from _parts()


def _repair(detail: str) -> str:
    if sys.platform != "linux":
        return f"Use Linux, or set {sandbox.MODE_VARIABLE}=off to run plugins without isolation"
    if "pyseccomp" in detail:
        return "Run `pip install pyseccomp`"
    return f"Run `{sandbox.REPAIR}`"


def _parts() -> Iterator[Diagnosis]:
    found = shutil.which("bwrap")
    yield Diagnosis("bwrap", "passed" if found else "failed", found or "not installed", "" if found else
                    f"Run `{sandbox.REPAIR}`")  # fmt: skip
    if os.geteuid() != 0:
        forbidding = [name for name, value in _FORBIDDING.items() if _kernel(name) == value]
        for name in forbidding:
            setting, good = name.replace("/", "."), "1" if _FORBIDDING[name] == "0" else "0"
            good = "15000" if setting.startswith("user.") else good
            yield Diagnosis(
                "User namespaces", "failed", f"{setting}={_FORBIDDING[name]} forbids them",
                f"Run `sysctl -w {setting}={good}` as root, or serve as root",
            )  # fmt: skip
        if not forbidding:
            yield Diagnosis("User namespaces", "passed", "no kernel setting forbids them")
    actions = _kernel("kernel/seccomp/actions_avail")
    if actions is None:
        yield Diagnosis("seccomp", "failed", "this kernel has none", "Use a kernel with CONFIG_SECCOMP_FILTER")
    else:
        yield Diagnosis("seccomp", "passed", actions)


def look_at_memory() -> Iterator[Diagnosis]:
    """Say how much memory is free."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        yield Diagnosis("Memory", "skipped", "cannot be read here")
        return
    detail = f"{free / _GIB:.1f} GiB free"
    if free < _LEAST_MEMORY_BYTES:
        yield Diagnosis("Memory", "warned", detail, "Free some, or lower `actor_memory_gb` in the manifests")
    else:
        yield Diagnosis("Memory", "passed", detail)


def _kernel(name: str) -> str | None:
    try:
        return (Path("/proc/sys") / name).read_text().strip()
    except OSError:
        return None
