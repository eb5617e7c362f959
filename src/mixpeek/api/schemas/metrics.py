"""The answer to whoever scrapes."""

from __future__ import annotations

from pydantic import RootModel


class MetricsText(RootModel[str]):
    """Metrics in Prometheus's text format, or in OpenMetrics for who accepts that."""
