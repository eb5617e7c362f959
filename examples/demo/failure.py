"""What can go wrong in the demo, as one error."""

from __future__ import annotations


class DemoFailed(RuntimeError):
    """The demo cannot go on, or did not get what it promises; the message says why."""
