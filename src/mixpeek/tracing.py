"""Traces, where OpenTelemetry's own `OTEL_*` variables ask for them; elsewhere nothing of it is imported or run."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mixpeek import __version__

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

log = logging.getLogger(__name__)

Attributes = Mapping[str, str | int]
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# A collector that is away does not keep the server from stopping.
END_WITHIN_S = 3.0


class _Tracing:
    """What this process traces with; None while it does not."""

    provider: TracerProvider | None = None
    tracer: Tracer | None = None


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Tell whether the variables name a collector, and do not switch traces off."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() not in ("", "otlp"):
        return False
    return any(environ.get(name) for name in ENDPOINTS)


def begin(service: str) -> None:
    """Trace from now on if that is wanted; `service` is the name of this process unless a variable gives one."""
    if not is_wanted(os.environ):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        log.warning("no traces: %s; install them with `pip install 'mixpeek[otel]'`", error)
        return
    own = {"service.version": __version__}
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        own["service.name"] = service
    provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _Tracing.provider, _Tracing.tracer = provider, provider.get_tracer("mixpeek", __version__)


def is_on() -> bool:
    """Whether this process traces."""
    return _Tracing.tracer is not None


def end() -> None:
    """Send what was not sent yet, and trace no more."""
    provider, _Tracing.provider, _Tracing.tracer = _Tracing.provider, None, None
    if provider is not None:
        ending = threading.Thread(target=provider.shutdown, name="last-traces", daemon=True)
        ending.start()
        ending.join(END_WITHIN_S)


@contextlib.contextmanager
def span(
    name: str, *, parent: str | None = None, attributes: Attributes | None = None, serves: bool = False
) -> Iterator[Span | None]:
    """Trace what is done within: below `parent`, a W3C `traceparent`, or else below the span around this one.

    Yields None while this process does not trace. What is raised is recorded. `serves` marks the answer to a request.
    """
    if _Tracing.tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind

    kind = SpanKind.SERVER if serves else SpanKind.INTERNAL
    above = None if parent is None else _context_from(parent)
    with _Tracing.tracer.start_as_current_span(name, above, kind, dict(attributes or {})) as made:
        yield made


def record(
    name: str,
    context: Context | None,
    began_s: float,
    ended_s: float,
    *,
    attributes: Attributes | None = None,
    error: BaseException | None = None,
) -> None:
    """Trace what has been done below `context`, if there is one; the times are of the monotonic clock."""
    if _Tracing.tracer is None or context is None:
        return
    from opentelemetry.trace import Status, StatusCode

    offset_s = time.time() - time.monotonic()
    made = _Tracing.tracer.start_span(
        name, context, attributes=dict(attributes or {}), start_time=int((began_s + offset_s) * 1e9)
    )
    if error is not None:
        made.record_exception(error)
        made.set_status(Status(StatusCode.ERROR, str(error)))
    made.end(int((ended_s + offset_s) * 1e9))


def current() -> Context | None:
    """Return where a later `record` belongs; None outside of any span, and while this process does not trace."""
    if _Tracing.tracer is None:
        return None
    from opentelemetry.context import get_current
    from opentelemetry.trace import get_current_span

    return get_current() if get_current_span().get_span_context().is_valid else None


def traceparent() -> str | None:
    """Return the span this is within as W3C writes it; None outside of any."""
    if _Tracing.tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def _context_from(parent: str) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    # A text that is no traceparent begins a trace of its own.
    return TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())


def fail(made: Any, words: str) -> None:
    """Mark a span as failed."""
    from opentelemetry.trace import Status, StatusCode

    made.set_status(Status(StatusCode.ERROR, words))
