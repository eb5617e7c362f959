"""A plan reaches the process that follows, and only that; a supervisor takes no memory for reading settings."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mixpeek.errors import PlatformError
from mixpeek.server.plan import VARIABLE, Plan

PLAN = Plan(
    role="worker",
    data_dir="data",
    host="::1",
    port=0,
    database_url=None,
    buffers_mb=64,
    cluster_file="data/ray/address",
    bootstrap_api_key="mxp_sk_é",
    makes_signing_key=True,
    is_egress_off=False,
    warnings=("MIXPEEK_PROT is not a setting",),
)


def test_what_is_put_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    environment: dict[str, str] = {}
    PLAN.put(environment)
    monkeypatch.setenv(VARIABLE, environment[VARIABLE])

    assert Plan.take() == PLAN
    assert VARIABLE not in os.environ


def test_a_server_without_a_plan_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    with pytest.raises(PlatformError, match="no plan") as refused:
        Plan.take()

    assert refused.value.hint == "Start one with `mixpeek serve`"


def test_a_server_runs_the_processes_of_its_role() -> None:
    assert (PLAN.has("api"), PLAN.has("worker")) == (False, True)


def test_the_supervisor_does_without_what_reads_the_settings() -> None:
    code = (
        "import sys, mixpeek.cli.app, mixpeek.cli.serve, mixpeek.server.supervisor;"
        " print(sorted({'pydantic', 'pydantic_core', 'psycopg', 'fastapi', 'obstore'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
