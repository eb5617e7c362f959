"""Ends what bwrap started together with the program that had it started, however that program ends.

bwrap's own `--die-with-parent` leaves gaps, as each of its processes asks for it only some while after it began. Its
second process even waits for a word from the first: where that was killed in between, it waited for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Sequence


class Lifeline:
    """A pipe whose closing, by the kernel if need be, kills a process group; and a gate that opens once this is so.

    The signal is the kernel's to send (`O_ASYNC`), so nobody has to live on, look, or be in time. The one kind of
    process it does not reach is the first of a process namespace: that one must end when its children do.
    """

    def __init__(self) -> None:
        self._watched, self._held = os.pipe()
        self._gate, self._opener = os.pipe()

    @property
    def descriptors(self) -> tuple[int, int]:
        """What the group inherits: the end that one of it must keep open, and the gate at which bwrap waits."""
        return self._watched, self._gate

    def options(self) -> list[str]:
        """Return the arguments that have bwrap keep the one, and read more arguments at the other."""
        return ["--sync-fd", str(self._watched), "--args", str(self._gate)]

    def tie(self, group: int, grants: Sequence[str] = ()) -> None:
        """Tie this process group to us, then open the gate.

        Args: grants: more arguments for bwrap that only give something: should we end before, it goes on without them.
        """
        with contextlib.suppress(ProcessLookupError, BrokenPipeError):  # it has ended already
            if sys.platform == "linux":
                fcntl.fcntl(self._watched, fcntl.F_SETOWN, -group)
                fcntl.fcntl(self._watched, fcntl.F_SETSIG, signal.SIGKILL)
                fcntl.fcntl(self._watched, fcntl.F_SETFL, os.O_ASYNC)
            os.write(self._opener, b"".join(word.encode() + b"\0" for word in grants))
        self._close("_gate", "_opener")

    def release(self) -> None:
        """Let the group live on by itself."""
        fcntl.fcntl(self._watched, fcntl.F_SETFL, 0)
        self.close()

    def close(self) -> None:
        """Kill what is left of the group, which is nothing where it has ended."""
        self._close("_held", "_watched", "_gate", "_opener")

    def _close(self, *names: str) -> None:
        for name in names:
            descriptor = getattr(self, name)
            setattr(self, name, -1)
            if descriptor >= 0:
                os.close(descriptor)
