"""Webhooks: who is told of what happened here, and how it gets there. A receiver needs `verify` alone.

Events are written by the database's triggers, in the transaction in which they happen (migration 0019).
"""

from __future__ import annotations

from mixpeek.webhooks.signing import SignatureInvalid, verify

__all__ = ["SignatureInvalid", "verify"]
