"""Traces are on only where OpenTelemetry's own variables ask for them, and cost nothing elsewhere."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from factories.servers import surroundings
from mixpeek import tracing

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(("variables", "wanted"), [
    ({}, False),
    (COLLECTOR, True),
    ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ({**COLLECTOR, "OTEL_SDK_DISABLED": "true"}, False),
    ({**COLLECTOR, "OTEL_SDK_DISABLED": "false"}, True),
    ({**COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, False),
    ({**COLLECTOR, "OTEL_TRACES_EXPORTER": "otlp"}, True),
])  # fmt: skip
def test_the_variables_of_opentelemetry_decide(variables: dict[str, str], wanted: bool) -> None:
    assert tracing.is_wanted(variables) == wanted


def test_without_them_nothing_is_traced_and_nothing_is_imported() -> None:
    program = (
        "import sys\n"
        "from mixpeek import tracing\n"
        "tracing.begin('test')\n"
        "with tracing.span('work') as made: assert made is None\n"
        "assert tracing.traceparent() is None and tracing.current() is None and not tracing.is_on()\n"
        "tracing.end()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    quiet = {name: value for name, value in surroundings().items() if not name.startswith("OTEL_")}

    ran = subprocess.run([sys.executable, "-c", program], env=quiet, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


def test_where_opentelemetry_is_not_installed_the_server_starts_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with caplog.at_level(logging.WARNING):
        tracing.begin("test")

    assert not tracing.is_on()
    assert "pip install 'mixpeek[otel]'" in caplog.text
