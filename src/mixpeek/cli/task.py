"""`mixpeek task`: follow work that goes on in the server."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mixpeek.cli.listing import All, Column, Limit, page_size, show_list
from mixpeek.cli.session import Session, on_server

app = typer.Typer(help="Follow batches and other work of the server.", no_args_is_help=True)

TaskId = Annotated[str, typer.Argument(metavar="TASK", help="Task, by ID.")]

_COLUMNS = (
    Column("ID", "task_id"),
    Column("TYPE", "task_type"),
    Column("STATUS", "status"),
    Column("CREATED", "created_at"),
)


@app.command("list")
@on_server
def list_tasks(
    session: Session,
    *,
    status: Annotated[str | None, typer.Option(help="Only those of this status.", show_default=False)] = None,
    limit: Limit = 100,
    every: All = False,
) -> None:
    """List tasks, newest first.

    Example: `mixpeek task list --status IN_PROGRESS`
    """
    wanted: dict[str, Any] = {} if status is None else {"status": status.upper()}
    rows = session.client.tasks.iterate(page_size=page_size(limit, every), **wanted)
    show_list(session.output, rows, _COLUMNS, limit=limit, every=every, empty="No tasks")


@app.command("kill")
@on_server
def kill(session: Session, *, task_id: TaskId) -> None:
    """End a task as soon as it can; one that has ended stays as it is.

    Example: `mixpeek task kill task_0123456789abcdef`
    """
    answer = session.client.tasks.kill(task_id)
    session.output.document(answer)
    session.output.show(f"{task_id}: {answer.get('message') or 'killed'}")


@app.command("wait")
@on_server
def wait(
    session: Session,
    *,
    task_id: Annotated[str, typer.Argument(help="Task, as a trigger or a submitted batch names it.")],
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait at most.", show_default=False)] = None,
) -> None:
    """Wait until a task has ended; exit 1 unless it is COMPLETED.

    Example: `mixpeek task wait task_0123456789abcdef --timeout 600`
    """
    from mixpeek.cli.progress import status_bar

    output = session.output
    with status_bar(output, task_id) as report:
        task = session.client.tasks.wait(task_id, report, timeout_s=timeout)
    output.document(task)
    output.show(f"{task_id} {task['status']}")
    if task["status"] != "COMPLETED":
        output.say(f"  {task.get('error') or 'The answer names no cause; `--json` prints all of it'}", "red")
        raise typer.Exit(1)
