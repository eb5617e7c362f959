"""The SDK: `Mixpeek` speaks the documented HTTP surface; nothing here runs plugin code."""

from __future__ import annotations

from mixpeek.client.errors import ApiError, ServerUnreachable, WaitTimedOut
from mixpeek.client.response import Response
from mixpeek.client.session import Mixpeek

__all__ = ["ApiError", "Mixpeek", "Response", "ServerUnreachable", "WaitTimedOut"]
