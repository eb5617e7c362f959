"""Against opening network connections by hand."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.socket",
    (
        "socket",
        "_socket",
        "socketserver",
    ),
    summary="`socket` opens network connections by hand",
    reason="opens network connections by hand, which plugins must not",
    hint="Call services over HTTP with `httpx` from an `api` step, or read files with `shared.plugins.open_asset`",
    offending=(
        "import socket\nsocket.create_connection(('host', 80))",
        "from socket import socket",
        "import socketserver",
    ),
    harmless=(
        "from .socket import Plug\nPlug()",
        "socket_timeout = 3\nclient.socket.close()",
        "text = 'socket'",
    ),
    severity=Severity.ERROR,
    can_be_allowed=False,
)
