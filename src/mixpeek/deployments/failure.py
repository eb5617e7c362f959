"""What a failed deployment, batch or realtime test tells the author."""

from __future__ import annotations

from mixpeek.errors import MixpeekError


def describe_failure(error: Exception) -> str:
    """Return an error as the author should read it: the message, then the plugin's own frames."""
    if not isinstance(error, MixpeekError):
        return f"{type(error).__name__}: {error}"
    frames = error.details.get("frames") or []
    places = [f"  {frame.get('file')}:{frame.get('line')} in {frame.get('function')}" for frame in frames]
    return "\n".join([error.named, *places])
