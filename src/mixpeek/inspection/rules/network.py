"""Against network protocols spoken by hand."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.network",
    (
        "asyncio.open_connection",
        "asyncio.open_unix_connection",
        "asyncio.start_server",
        "asyncio.start_unix_server",
        "asyncio.streams",
        "asyncio.loop.create_connection",
        "asyncio.loop.create_server",
        "asyncio.loop.create_datagram_endpoint",
        "asyncio.loop.sock_connect",
        "http.server",
        "ftplib",
        "smtplib",
        "smtpd",
        "telnetlib",
        "xmlrpc",
        "imaplib",
        "poplib",
        "nntplib",
        "wsgiref.simple_server",
        "asyncore",
        "asynchat",
        "ssl.get_server_certificate",
        "logging.handlers.SocketHandler",
        "logging.handlers.DatagramHandler",
        "logging.handlers.HTTPHandler",
        "logging.handlers.SMTPHandler",
        "logging.handlers.SysLogHandler",
        "logging.config.listen",
        "zmq",
        "websocket",
        "websockets",
    ),
    summary="`asyncio.open_connection`, `http.server`, `ftplib`, `smtplib` and others speak network protocols by hand",
    reason="speaks a network protocol by hand; only HTTP goes through the platform's proxy",
    hint="Call services over HTTP with `httpx` from an `api` step",
    offending=(
        "import smtplib\nsmtplib.SMTP('host')",
        "import asyncio\nasyncio.open_connection('host', 80)",
        "from http.server import HTTPServer",
    ),
    harmless=(
        "import httpx\nhttpx.get('https://host')",
        "import requests\nrequests.post('https://host')",
        "from http import HTTPStatus",
        "import asyncio\nasyncio.run(main())",
    ),
)
