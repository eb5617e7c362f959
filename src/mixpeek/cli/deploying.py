"""Deploying a version from the command line: ask for it, wait, and say how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixpeek.cli.output import Output
from mixpeek.cli.progress import status_bar

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek, Response


def follow(client: Mixpeek, output: Output, plugin_id: str, *, wait: bool) -> Response:
    """Return the status of a version's deployment, with `wait` once it has ended."""
    if not wait:
        return client.plugins.status(plugin_id)
    with status_bar(output, f"Deploying {plugin_id}") as report:
        return client.plugins.wait(plugin_id, report)


def has_failed(status: Response, *, batch_only: bool) -> bool:
    """Tell whether a deployment ended otherwise than it was meant to."""
    state = status.get("status")
    return state == "FAILED" or (state == "NOT_DEPLOYED" and not batch_only)


def show_deployment(output: Output, status: Response, *, batch_only: bool) -> None:
    """Print how a deployment stands, and what the server says about it."""
    failed = has_failed(status, batch_only=batch_only)
    state = str(status.get("status"))
    text = str(status.get("error") or status.get("message") or "") if failed else str(status.get("message") or "")
    is_ready = state in {"DEPLOYED", "NOT_DEPLOYED"} and not failed
    detail = "for batches only" if batch_only and is_ready else state
    output.check("Deployed" if is_ready or failed else "Deploying", "failed" if failed else "passed", detail)
    output.quote(text)
