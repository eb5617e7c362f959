"""Against signals."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.signals",
    (
        "signal.signal",
        "signal.setitimer",
        "signal.alarm",
        "signal.raise_signal",
        "signal.pthread_kill",
        "signal.set_wakeup_fd",
        "signal.siginterrupt",
        "signal.sigwait",
        "signal.pidfd_send_signal",
        "asyncio.loop.add_signal_handler",
        "os.kill",
        "os.killpg",
        "os.abort",
        "os._exit",
        "posix.kill",
        "posix.killpg",
        "posix.abort",
        "posix._exit",
    ),
    summary="Signals and `os._exit` interrupt or end processes",
    reason="interrupts or ends processes, which is the platform's to do",
    hint="Raise an error, and let the platform end the step",
    offending=(
        "import os\nos.kill(1, 9)",
        "import signal\nsignal.signal(signal.SIGTERM, work)",
        "import os\nos._exit(0)",
    ),
    harmless=(
        "import signal\nsignal.Signals(9).name",
        "import sys\nsys.exit(1)",
        "process.kill()",
    ),
)
