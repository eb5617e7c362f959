"""Rules against opening network connections by hand."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULES = (
    forbid(
        "security.socket",
        ("socket", "_socket", "socketserver"),
        summary="`socket` opens network connections by hand",
        reason="opens network connections by hand, which plugins must not",
        hint="Call services over HTTP with `httpx` from an `api` step, or read files with `shared.plugins.open_asset`",
    ),
)
