"""An OTLP/HTTP collector on this machine: what it is sent, it decodes and keeps."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class CollectedSpan:
    """One span as it was sent; ids are hexadecimal, `parent` is "" at the root of a trace."""

    name: str
    trace: str
    identifier: str
    parent: str
    kind: int
    seconds: float
    is_error: bool
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    service: str = ""


class Collector:
    """Listens on a free port of loopback while its block lasts."""

    def __init__(self) -> None:
        self.spans: list[CollectedSpan] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
                collector.spans += spans_in(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def named(self, name: str) -> list[CollectedSpan]:
        return [span for span in self.spans if span.name == name]

    def below(self, parent: CollectedSpan) -> list[CollectedSpan]:
        """Return the children of a span, first begun first."""
        return [span for span in self.spans if span.parent == parent.identifier]


def spans_in(body: bytes) -> list[CollectedSpan]:
    found = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
        for scope in resource.scope_spans:
            for span in scope.spans:
                found.append(
                    CollectedSpan(
                        name=span.name,
                        trace=span.trace_id.hex(),
                        identifier=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        kind=span.kind,
                        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                        is_error=span.status.code == 2,
                        attributes={a.key: a.value.string_value or a.value.int_value for a in span.attributes},
                        events=[event.name for event in span.events],
                        service=service,
                    )
                )
    return found
