"""`mixpeek task`: follow work that goes on in the server."""

from __future__ import annotations

from typing import Annotated

import typer

from mixpeek.cli.options import ApiKey, BaseUrl, Json, connect
from mixpeek.cli.output import output_for

app = typer.Typer(help="Follow batches and other work of the server.", no_args_is_help=True)


@app.command("wait")
def wait(
    context: typer.Context,
    *,
    task_id: Annotated[str, typer.Argument(help="Task, as a trigger or a submitted batch names it.")],
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait at most.", show_default=False)] = None,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Wait until a task has ended; exit 1 unless it is COMPLETED."""
    from mixpeek.cli.progress import status_bar

    output = output_for(context, json)
    with connect(context, api_key, base_url) as client, status_bar(output, task_id) as report:
        task = client.tasks.wait(task_id, report, timeout_s=timeout)
    output.document(task)
    output.show(f"{task_id} {task['status']}")
    if task["status"] != "COMPLETED":
        output.say(f"  {task.get('error') or 'The answer names no cause; `--json` prints all of it'}", "red")
        raise typer.Exit(1)
