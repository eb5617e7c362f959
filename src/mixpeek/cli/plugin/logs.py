"""`mixpeek plugin logs`: what the hosts of a version printed and logged, as it was or as it comes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.log_lines import MOST_ON_A_PAGE, Level, latest, show_line
from mixpeek.cli.options import ApiKey, BaseUrl, Json, connect_to_namespace
from mixpeek.cli.output import Output, output_for
from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek

INTERRUPTED = 130
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class LogSource(StrEnum):
    """What a host was for."""

    REALTIME = "realtime"
    GATE = "gate"
    BATCH = "batch"
    TEST = "test"


def logs(
    context: typer.Context,
    *,
    plugin_id: Annotated[str, typer.Argument(metavar="PLUGIN_ID", help="Version, as in `text_embed_1_0_0`.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay, and print lines as they come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Lines to show, the latest.")] = 100,
    level: Annotated[Level | None, typer.Option(help="The least severe lines shown.", show_default=False)] = None,
    source: Annotated[
        LogSource | None,
        typer.Option(help="What the host was for: `gate` tries a version, `test` an upload.", show_default=False),
    ] = None,
    deployment: Annotated[
        str | None, typer.Option(help="Only the hosts of this deployment.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="A time such as `2026-01-31T12:00Z`, or as long ago as `10m`.", show_default=False),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", help="Namespace, by ID or name; default MIXPEEK_NAMESPACE.", show_default=False),
    ] = None,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Show what a version's hosts printed and logged; with `--follow --json`, one JSON object a line.

    Example: `mixpeek plugin logs my_extractor_1_0_0 --level warning --since 2h`
    """
    output = output_for(context, json)
    wanted: dict[str, Any] = {
        "deployment_id": deployment,
        "level": None if level is None else level.value,
        "source": None if source is None else source.value,
        "since": None if since is None else _moment(since),
    }
    with connect_to_namespace(context, api_key, base_url, namespace) as client:
        if follow:
            _follow(client, output, plugin_id, min(lines, MOST_ON_A_PAGE), wanted)
        found = latest(lambda **page: client.plugins.logs(plugin_id, **page, **wanted), lines)
    output.document({"success": True, "plugin_id": plugin_id, "lines": found})
    for line in found:
        show_line(output, line)
    if not found:
        output.say("No lines")


def _follow(client: Mixpeek, output: Output, plugin_id: str, lines: int, wanted: Mapping[str, Any]) -> None:
    try:
        for line in client.plugins.follow_logs(plugin_id, limit=lines, **wanted):
            output.record(line)
            show_line(output, line)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _moment(given: str) -> datetime:
    """Return the time that is meant by one, or by how long ago it was."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", given)
    if ago is not None:
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise InvalidRequest(
            f"`--since {given}` is no time", hint="Write `10m`, `2h` or `3d`, or a time as in `2026-01-31T12:00Z`"
        ) from error
    return moment.astimezone() if moment.tzinfo is None else moment
