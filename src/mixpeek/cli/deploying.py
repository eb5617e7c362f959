"""Deploying a version from the command line: ask for it, tell its phases as they pass, and say how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mixpeek.cli.output import Output
from mixpeek.cli.progress import status_bar

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek, Response


def follow(client: Mixpeek, output: Output, plugin_id: str, *, wait: bool) -> Response:
    """Return the status of a version's deployment, with `wait` once it has ended."""
    if not wait:
        return client.plugins.status(plugin_id)
    with status_bar(output, f"Deploying {plugin_id}") as report:
        tell = _tell_phases(output)

        def hear(answer: Response) -> None:
            tell(answer)
            report(answer)

        return client.plugins.wait(plugin_id, hear)


def has_failed(status: Mapping[str, Any], *, batch_only: bool) -> bool:
    """Tell whether a deployment ended otherwise than it was meant to."""
    state = status.get("status")
    return state == "FAILED" or (state == "NOT_DEPLOYED" and not batch_only)


def show_deployment(output: Output, status: Mapping[str, Any], *, batch_only: bool) -> None:
    """Print how a deployment stands, and what the server says about it."""
    failed = has_failed(status, batch_only=batch_only)
    state = str(status.get("status"))
    is_ready = state in {"DEPLOYED", "NOT_DEPLOYED"} and not failed
    # What was live stays so: then the status tells of that.
    detail = "for batches only" if state == "NOT_DEPLOYED" and is_ready else state
    output.check("Deployed" if is_ready or failed else "Deploying", "failed" if failed else "passed", detail)
    for warning in status.get("warnings") or ():
        output.say(f"  warning: {warning}", "yellow")
    failure = status.get("failure")
    if failed and isinstance(failure, Mapping):
        show_failure(output, failure)
        output.quote(str(status.get("message") or ""))
    else:
        output.quote(str((failed and status.get("error")) or status.get("message") or ""))


def show_failure(output: Output, failure: Mapping[str, Any]) -> None:
    """Print why a rollout failed: the message, the plugin's own frames, what to do, and where its log is."""
    output.say(f"  in phase {failure.get('phase')}: {failure.get('message')}", "bold red")
    for frame in failure.get("frames") or ():
        if isinstance(frame, Mapping):
            output.say(f"    {frame.get('file')}:{frame.get('line')} in {frame.get('function')}")
            output.say(f"        {frame.get('code') or ''}".rstrip(), "dim")
    if failure.get("hint"):
        output.say(f"    {failure['hint']}", "cyan")
    if failure.get("logs_url"):
        output.say(f"    log: {failure['logs_url']}", "dim")


def _tell_phases(output: Output) -> Callable[[Mapping[str, Any]], None]:
    """Return what prints each phase of a rollout that has passed, once, from one answer after another."""
    told = 0

    def tell(answer: Mapping[str, Any]) -> None:
        nonlocal told
        timeline = answer.get("timeline")
        passed = [each for each in timeline if _has_passed(each)] if isinstance(timeline, list) else []
        for entry in passed[told:]:
            detail = f"  {entry['detail']}" if entry.get("detail") else ""
            output.say(f"  {entry.get('phase')!s:<10}{entry['duration_s']:6.2f} s{detail}", "dim")
        told = max(told, len(passed))

    return tell


def _has_passed(entry: Any) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("duration_s"), int | float)
