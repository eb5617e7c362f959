"""What went wrong in a plugin, in words its author can act on: the plugin's own frames, and nothing of ours.

A failure crosses the socket as plain JSON; the side that started the host turns it into an error class.
"""

from __future__ import annotations

import contextlib
import errno
import linecache
from pathlib import Path
from types import TracebackType
from typing import Any

from mixpeek.host.transience import retry_after_s_of

RAISED = "PluginRaised"
REPLY_INVALID = "PluginReplyInvalid"
REPLY_TOO_LARGE = "PluginReplyTooLarge"
OUT_OF_MEMORY = "PluginOutOfMemory"
TOO_MANY_THREADS = "PluginTooManyThreads"
TIMED_OUT = "PluginTimedOut"
# Not a failure of the row: it was not tried, as too many calls before it had hung.
UNTRIED = "Untried"

# How the kernel's refusals reach Python code; each is a limit of the host, so it is named as one.
_LIMITS = {
    errno.ENOSPC: "PluginScratchFull",
    errno.EFBIG: "PluginScratchFull",
    errno.EDQUOT: "PluginScratchFull",
    errno.EMFILE: "PluginTooManyFiles",
    errno.ENOMEM: OUT_OF_MEMORY,
}

_MAX_FRAMES = 30
_MAX_TEXT = 4000


class Failure(Exception):
    """A call did not end as its contract asks."""

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        frames: list[dict[str, Any]] | None = None,
        step: str | None = None,
        exception: str | None = None,
        waited_s: float | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.frames = frames or []
        self.step = step
        self.exception = exception
        self.waited_s = waited_s
        self.retry_after_s = retry_after_s

    def wire(self) -> dict[str, Any]:
        """Return the `error` object of a reply."""
        return {
            "type": self.kind,
            "message": self.message[:_MAX_TEXT],
            "frames": self.frames,
            "step": self.step,
            "exception": self.exception,
            **({} if self.waited_s is None else {"waited_s": self.waited_s}),
            **({} if self.retry_after_s is None else {"retry_after_s": self.retry_after_s}),
        }


def too_large(message: str) -> Failure:
    """Return the failure of a plugin that answered with more than a reply may hold."""
    return Failure(REPLY_TOO_LARGE, message)


def invalid(message: str, step: str | None = None) -> Failure:
    """Return the failure of a plugin that answered with something unusable."""
    return Failure(REPLY_INVALID, message, step=step)


def failure_from(error: BaseException, root: Path, *, step: str | None = None, more: str = "") -> Failure:
    """Return the failure for an exception: its type, its text and the frames that lie under `root`."""
    if isinstance(error, Failure):
        error.step = error.step or step
        return error
    name = type(error).__name__
    release(error)
    frames = own_frames(error.__traceback__, root)
    if isinstance(error, SyntaxError) and error.filename:
        frames += _syntax_frame(error, root)
    message = f"{name}: {text_of(error)}{more}"
    return Failure(
        *(_kind(error), message), frames=frames, step=step, exception=name, retry_after_s=retry_after_s_of(error)
    )


def _kind(error: BaseException) -> str:
    """Return the limit that an exception tells of, else that the plugin raised."""
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, OSError):
        return _LIMITS.get(error.errno or 0, RAISED)
    # The interpreter has no class of its own for it.
    is_thread = type(error) is RuntimeError and error.args == ("can't start new thread",)
    return TOO_MANY_THREADS if is_thread else RAISED


def release(error: BaseException) -> None:
    """Drop what the frames of a call that ran out of memory hold, so that there is memory to go on."""
    traceback = error.__traceback__ if isinstance(error, MemoryError) else None
    while traceback is not None:
        with contextlib.suppress(RuntimeError):  # a frame that is still running, which is ours
            traceback.tb_frame.clear()
        traceback = traceback.tb_next


def own_frames(traceback: TracebackType | None, root: Path) -> list[dict[str, Any]]:
    """Return file (relative to `root`), line, function and code line of the frames under `root`, outermost first."""
    frames: list[dict[str, Any]] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        relative = _relative(code.co_filename, root)
        if relative is not None:
            line = traceback.tb_lineno
            source = linecache.getline(code.co_filename, line).strip()[:_MAX_TEXT]
            frames.append({"file": relative, "line": line, "function": code.co_name, "code": source})
        traceback = traceback.tb_next
    return frames[-_MAX_FRAMES:]


def _syntax_frame(error: SyntaxError, root: Path) -> list[dict[str, Any]]:
    relative = _relative(error.filename or "", root)
    if relative is None:
        return []
    code = (error.text or "").strip()[:_MAX_TEXT]
    return [{"file": relative, "line": error.lineno or 0, "function": "<module>", "code": code}]


def _relative(filename: str, root: Path) -> str | None:
    try:
        return Path(filename).relative_to(root).as_posix()
    except ValueError:
        return None


def text_of(error: BaseException) -> str:
    """Return an exception's text, cut to what a reply may say."""
    try:
        return str(error)[:_MAX_TEXT]
    except BaseException as unreadable:  # an author's own __str__ may raise anything
        return f"(its text cannot be read: {type(unreadable).__name__})"
