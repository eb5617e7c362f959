"""Rules against starting other programs and processes."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import forbid

_HINT = "Do the work in Python; the sandbox starts no other program"
_VARIANTS = ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")
_SYSTEM = ("os", "posix", "nt")

RULES = (
    forbid(
        "security.subprocess",
        ("subprocess", "_posixsubprocess", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "pty"),
        summary="`subprocess` and its relatives start programs",
        reason="starts programs, which plugins must not",
        hint=_HINT,
    ),
    forbid(
        "security.os_system",
        [
            f"{module}.{function}"
            for module in _SYSTEM
            for function in (
                "system",
                "popen",
                "startfile",
                "posix_spawn",
                "posix_spawnp",
                *(f"exec{variant}" for variant in _VARIANTS),
                *(f"spawn{variant}" for variant in _VARIANTS),
            )
        ],
        summary="`os.system`, `os.popen`, `os.exec*` and `os.spawn*` start programs",
        reason="runs a shell or another program, which plugins must not",
        hint=_HINT,
    ),
    forbid(
        "security.multiprocessing",
        (
            "multiprocessing",
            "concurrent.futures.ProcessPoolExecutor",
            "concurrent.futures.process",
            *(f"{module}.{function}" for module in _SYSTEM for function in ("fork", "forkpty")),
        ),
        summary="`multiprocessing`, process pools and `os.fork` start processes",
        reason="starts processes, and the sandbox refuses them",
        hint="Use threads, or `parallel_io` of `shared.plugins.sdk`; the platform runs several hosts side by side",
        severity=Severity.WARNING,
    ),
)
