"""The data dir: who owns it, and the secrets kept in it."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from mixpeek.errors import Conflict, PlatformError

# A killed server's processes may take a moment to end; a living one keeps the lock.
LOCK_WAIT_S = 10.0


class DataDir:
    """One server's directory; `lock` makes sure it is one server's only."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise PlatformError(
                f"The data dir {self.path} cannot be made: {error.strerror}", hint="Choose another with `--data-dir`"
            ) from error

    def lock(self, wait_s: float = LOCK_WAIT_S) -> int:
        """Take the lock and return its descriptor, which children inherit: it is free once all of them are gone.

        Raises: Conflict: another server is using the directory.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                # Processes of a killed server end within moments; a living server keeps the lock.
                if _is_alive(owner) or time.monotonic() > deadline:
                    os.close(descriptor)
                    raise Conflict(
                        f"Another server (pid {owner or 'unknown'}) is using {self.path}",
                        hint="Stop it first, or give this one its own `--data-dir`",
                    ) from error
                time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    @property
    def unfinished(self) -> Path:
        """There while a backup is restored here, and afterwards if that did not come to its end."""
        return self.path / "restore.unfinished"

    def check_whole(self) -> None:
        """Raise Conflict if a restore began here and did not end."""
        if self.unfinished.exists():
            raise Conflict(
                f"A restore into {self.path} was begun and did not end",
                hint="Run `mixpeek restore` again with the same backup and the same `--data-dir`",
            )

    def signing_secret(self, given: str | None = None) -> bytes:
        """Return the secret that signs URLs: the one given, else one of this directory, made on first use."""
        return (given or self._secret("signing.key", lambda: secrets.token_hex(32))[0]).encode()

    def admin_key(self, bootstrap: str | None) -> tuple[str, bool]:
        """Return the admin API key and whether it was made just now; `bootstrap` becomes it on first start."""
        return self._secret("admin.key", lambda: bootstrap or f"sk_{secrets.token_urlsafe(32)}")

    def succeed_worker(self, executor_id: str) -> str | None:
        """Keep the name of the worker that runs here from now on; return that of the one before, None for the first."""
        path = self.path / "worker.last"
        before = path.read_text().strip() if path.exists() else None
        self._write(path.name, executor_id)
        return before or None

    def replace_admin_key(self, key: str) -> Path:
        """Keep another admin key from now on; return the file it is kept in."""
        return self._write("admin.key", key)

    def keep_key(self, name: str, value: str) -> None:
        """Keep a key that was in another data dir; only this user can read it."""
        self._write(name, value)

    def _secret(self, name: str, make: Callable[[], str]) -> tuple[str, bool]:
        path = self.path / name
        if path.exists():
            return path.read_text().strip(), False
        value = make()
        self._write(name, value)
        return value, True

    def _write(self, name: str, value: str) -> Path:
        path = self.path / name
        building = path.with_suffix(".building")
        with os.fdopen(os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(value.rstrip() + "\n")
            file.flush()
            os.fsync(file.fileno())
        building.rename(path)
        return path


def _is_alive(pid: str) -> bool:
    """Tell whether a process runs; one that has ended and only waits to be reaped does not."""
    try:
        os.kill(int(pid), 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ValueError, ProcessLookupError):
        return False
    except (PermissionError, FileNotFoundError):  # another user's, or a system without /proc
        return True
    return state != "Z"
