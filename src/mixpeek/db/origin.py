"""Who causes what is written: kept in a context variable, handed to the database's audit triggers by each transaction.

The triggers and what they record are the `audit` slice's; this module only carries the words down.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Origin:
    """Where a change comes from; a request's is filled in as soon as its key is known, hence not frozen.

    `writes` says whether transactions carry it; a request that only reads is spared the statement.
    """

    actor_type: str = "platform"
    actor_id: str | None = None
    actor_name: str | None = None
    organization_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    namespace_id: str | None = None
    traceparent: str | None = None
    writes: bool = False

    def json(self) -> str:
        """Return what the triggers read; the namespace they take from the row itself."""
        own = ("namespace_id", "writes")
        return json.dumps({key: value for key, value in asdict(self).items() if value is not None and key not in own})


origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextlib.contextmanager
def caused_by(fields: Mapping[str, Any] | None) -> Iterator[None]:
    """Have every transaction within carry this origin; None leaves it to the platform."""
    token = origin.set(Origin(**fields, writes=True) if fields else None)
    try:
        yield
    finally:
        origin.reset(token)
