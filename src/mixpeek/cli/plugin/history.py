"""`mixpeek plugin log`, `status`, `diff` and `rollback`: what there was, what there is, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from mixpeek.cli.options import Message, Name, version_given
from mixpeek.cli.output import Output
from mixpeek.cli.session import Session, in_namespace
from mixpeek.errors import Conflict


@in_namespace
def log(
    session: Session,
    *,
    name: Name,
    limit: Annotated[int, typer.Option(min=1, help="Versions to show, the newest first.")] = 50,
) -> None:
    """Show the versions of a plugin, newest first, with what was done to each; the active one has a star.

    Example: `mixpeek plugin log my_extractor`
    """
    client, output = session.client, session.output
    history = client.plugins.versions(name)
    output.document(history)
    shown = history["versions"][:limit]
    columns = ("VERSION", "WHEN (UTC)", "WHO", "STATUS", "MESSAGE")
    output.table(columns, [row for version in shown for row in _rows(version)], empty="No versions")
    if len(shown) < len(history["versions"]):
        output.say(f"… and {len(history['versions']) - len(shown)} older; `--limit` shows more", "dim")


@in_namespace
def status(session: Session, *, name: Name) -> None:
    """Show which version of a plugin is active, how it is deployed, and why the last rollout failed, if it did.

    Example: `mixpeek plugin status my_extractor`
    """
    from mixpeek.cli.deploying import show_failure

    client, output = session.client, session.output
    history = client.plugins.versions(name)
    versions = history["versions"]
    active = next((version for version in versions if version.get("active")), None)
    newest = versions[0] if versions else None
    failed = next((each for each in (newest, active) if each and each.get("deployment_status") == "FAILED"), None)
    failure = client.plugins.status(failed["plugin_id"]).get("failure") if failed else None
    document = {"success": True, "name": history["name"], "active": active, "newest": newest}
    output.document({**document, "total": history.get("total"), "failure": failure})
    if active is None:
        output.show(f"{history['name']}  no version is active")
    else:
        output.show(f"{history['name']} {active['version']}  {active['deployment_status']}", "bold")
        for label, value in _facts(active):
            output.show(f"  {label:<10}{value}")
    if newest is not None and newest is not active:
        output.show(f"  {'newest':<10}{newest['version']}, {newest['deployment_status']}, not active")
    output.show(f"  {'versions':<10}{len(versions)}")
    if failed is not None and failure is not None:
        output.say(f"The rollout of {failed['version']} failed", "bold red")
        show_failure(output, failure)


@in_namespace
def diff(
    session: Session,
    *,
    name: Name,
    v1: Annotated[str, typer.Argument(metavar="V1", help="The earlier version.")],
    v2: Annotated[str, typer.Argument(metavar="V2", help="The later version.")],
) -> None:
    """Show what changed from one version to another: file by file, then in the manifest.

    Example: `mixpeek plugin diff my_extractor 1.0.0 1.1.0`
    """
    from mixpeek.cli.changes import file_summary, manifest_summary

    client, output = session.client, session.output
    answer = client.plugins.diff(name, version_given(v1), version_given(v2))
    output.document(answer)
    for file in answer["files"]:
        path = file["path"]
        output.diff(f"Binary files a/{path} and b/{path} differ" if file["binary"] else file["diff"])
    output.show(f"{answer['name']} {answer['v1']} -> {answer['v2']}", "bold")
    for line in file_summary(answer):
        output.show(f"  {line}")
    changes = list(manifest_summary(answer["manifest"]))
    if changes:
        output.show("  manifest:")
    for line in changes:
        output.show(f"    {line}")


@in_namespace
def rollback(
    session: Session,
    *,
    name: Name,
    version: Annotated[
        str | None,
        typer.Argument(metavar="[VERSION]", help="Default: the one that was active before.", show_default=False),
    ] = None,
    message: Message = None,
) -> None:
    """Make an earlier version active again, after a look at what that changes; waits until it has taken over.

    Example: `mixpeek plugin rollback my_extractor 1.0.0 -m "1.1.0 was slow"`
    """
    from mixpeek.cli.progress import spinner

    client, output = session.client, session.output
    wanted = None if version is None else version_given(version)
    history = client.plugins.versions(name)
    # Named on purpose: what is shown is then what is done, whatever happens on the server meanwhile.
    target = wanted or _previous(history["versions"], history["name"])
    active = history.get("active_version")
    changes = None if active in {None, target} else client.plugins.diff(name, active, target)
    if changes is not None:
        _show_changes(output, changes)
    with spinner(output, f"Going back to {target}"):
        answer = client.plugins.rollback(name, target, message)
    output.document({**answer, "changes": changes})
    for warning in answer.get("warnings") or ():
        output.say(f"warning: {warning}", "yellow")
    output.show(f"{answer['name']} {answer['version']} is active, {answer['deployment_status']}")


def _show_changes(output: Output, changes: Mapping[str, Any]) -> None:
    from mixpeek.cli.changes import file_summary, manifest_summary

    output.say(f"{changes['name']} {changes['v1']} -> {changes['v2']}", "bold")
    for line in (*file_summary(changes), *manifest_summary(changes["manifest"])):
        output.say(f"  {line}")


def _rows(version: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    number = f"{version['version']} *" if version.get("active") else version["version"]
    yield (
        number,
        _when(version.get("created_at")),
        version.get("author"),
        version.get("deployment_status"),
        version.get("message"),
    )
    for done in version.get("deployments") or ():
        action, when = f"  {done.get('action')}", _when(done.get("deployed_at"))
        yield action, when, done.get("actor"), done.get("status"), done.get("message") or done.get("error")


def _facts(version: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    facts = {
        "id": version.get("plugin_id"),
        "since": version.get("deployed_at") and f"{_when(version['deployed_at'])} UTC",
        "author": version.get("author"),
        "message": version.get("message"),
        "code": str(version.get("code_hash") or "")[:12],
    }
    return ((label, value) for label, value in facts.items() if value)


def _previous(versions: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return the version that was active last before the one that is; else the next lower one."""
    at = next((place for place, version in enumerate(versions) if version.get("active")), -1)
    others = [version for place, version in enumerate(versions) if place != at]
    served = [version for version in others if version.get("deployed_at")]
    if served:
        return str(max(served, key=lambda version: str(version["deployed_at"]))["version"])
    if at + 1 < len(versions):
        return str(versions[at + 1]["version"])
    raise Conflict(f"{name} has no earlier version to go back to", hint="`mixpeek plugin log` shows what there is")


def _when(moment: Any) -> str | None:
    """Return a time of the server, which are all UTC, to the second."""
    return None if moment is None else str(moment)[:19].replace("T", " ")
