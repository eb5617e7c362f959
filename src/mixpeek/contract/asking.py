"""How plugin code asks the platform for what its sandbox cannot reach: assets, secrets, a language model.

The host program connects the platform when it starts (`connect`); everything an author sees is built on `ask`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

READ_BYTES: Final = 1024 * 1024
"""Most bytes of an asset in one answer."""

MOST_QUESTION_BYTES: Final = 512 * 1024
"""Most bytes of a question's body, which is what a language model is given."""


class Refused(Exception):
    """The platform said no.

    `code` is `not_found`, `not_granted`, `not_configured`, `invalid`, `too_large`, `timed_out` or `unavailable`; the
    last two may go better another time.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Asks(Protocol):
    """Whoever carries questions to the platform."""

    def ask(self, what: str, fields: Mapping[str, Any], body: bytes = b"") -> tuple[Any, bytearray]:
        """Return the answer, as a value that JSON can say and bytes; wait for it. Safe from any thread.

        Raises: Refused.
        """


class _Connected:
    """What this process is connected to; a host connects once, before it imports any plugin code."""

    platform: Asks | None = None
    plugin: Path | None = None
    network: bool = False


def connect(platform: Asks | None, plugin: Path | None = None, *, network: bool = False) -> None:
    """Have questions of this process answered by `platform`.

    Args:
        plugin: the folder of the plugin it runs.
        network: whether it has a network of its own, as steps of the resource type api do.
    """
    _Connected.platform, _Connected.plugin, _Connected.network = platform, plugin, network


def is_connected() -> bool:
    """Whether somebody answers."""
    return _Connected.platform is not None


def has_network() -> bool:
    """Whether this process reaches services by itself."""
    return _Connected.network


def plugin_folder() -> Path | None:
    """Return the folder of the plugin that this process runs, None where it runs none."""
    return _Connected.plugin


def ask(what: str, fields: Mapping[str, Any], body: bytes = b"") -> tuple[Any, bytearray]:
    """Ask the platform and wait for its answer; raise Refused."""
    platform = _Connected.platform
    if platform is None:
        raise Refused("unavailable", "no platform is connected to this process")
    if len(body) > MOST_QUESTION_BYTES:
        raise Refused("too_large", f"it has {len(body):,} bytes, {MOST_QUESTION_BYTES:,} are allowed")
    return platform.ask(what, fields, body)
