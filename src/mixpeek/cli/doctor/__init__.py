"""`mixpeek doctor`: looks at this machine, its settings and its server, and says what to do about what it finds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

from mixpeek.cli.options import ApiKey, BaseUrl, Json, Namespace, globals_of
from mixpeek.cli.output import output_for

if TYPE_CHECKING:
    from mixpeek.cli.doctor.diagnosis import Diagnosis


def doctor(
    context: typer.Context,
    *,
    namespace: Namespace = None,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Check this machine, the settings and the server, and say what to do; nothing is changed.

    Example: `mixpeek doctor --json`
    """
    # What is looked at is slow to import; `mixpeek --help` must not wait for it.
    from mixpeek.cli.doctor import client, machine, settings

    given = globals_of(context)
    who = client.Who(
        api_key or given.api_key, base_url or given.base_url or os.environ.get("MIXPEEK_BASE_URL"), namespace
    )
    looks: list[Callable[[], Iterable[Diagnosis]]] = [
        machine.look_at_python,
        machine.look_at_sandbox,
        machine.look_at_memory,
        settings.look_at_settings,
        settings.look_at_data_dir,
        settings.look_at_postgres,
        settings.look_at_cluster,
        settings.look_at_port,
        settings.look_at_packages,
        lambda: client.look_at_server(who),
    ]
    output = output_for(context, json, report_on_stdout=True)
    found: list[Diagnosis] = []
    for look in looks:
        for diagnosis in look():
            found.append(diagnosis)
            output.check(diagnosis.name, diagnosis.status, diagnosis.detail)
            if diagnosis.hint:
                output.show(f"      {diagnosis.hint}", "cyan")
    failed = [diagnosis for diagnosis in found if diagnosis.status == "failed"]
    warned = sum(diagnosis.status == "warned" for diagnosis in found)
    output.document({"success": not failed, "checks": [diagnosis.wire() for diagnosis in found]})
    counted = f"{len(failed)} to repair, {warned} to know of"
    output.show(f"\n{counted}" if failed or warned else "\nNothing to do", "bold red" if failed else "bold green")
    if failed:
        raise typer.Exit(1)
