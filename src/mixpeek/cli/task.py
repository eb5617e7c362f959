"""`mixpeek task`: follow work that goes on in the server."""

from __future__ import annotations

from typing import Annotated

import typer

from mixpeek.cli.session import Session, on_server

app = typer.Typer(help="Follow batches and other work of the server.", no_args_is_help=True)


@app.command("wait")
@on_server
def wait(
    session: Session,
    *,
    task_id: Annotated[str, typer.Argument(help="Task, as a trigger or a submitted batch names it.")],
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait at most.", show_default=False)] = None,
) -> None:
    """Wait until a task has ended; exit 1 unless it is COMPLETED."""
    from mixpeek.cli.progress import status_bar

    output = session.output
    with status_bar(output, task_id) as report:
        task = session.client.tasks.wait(task_id, report, timeout_s=timeout)
    output.document(task)
    output.show(f"{task_id} {task['status']}")
    if task["status"] != "COMPLETED":
        output.say(f"  {task.get('error') or 'The answer names no cause; `--json` prints all of it'}", "red")
        raise typer.Exit(1)
