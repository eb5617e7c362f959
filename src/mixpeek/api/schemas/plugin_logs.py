"""Answers about plugin logs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo


class PluginLogLine(Answer):
    """One line that a plugin's host printed or logged, or that the platform says about the host."""

    id: int = Field(description="Grows from line to line.")
    at: datetime = Field(description="When the server read the line.")
    level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        description="Of a `logging` record; `info` for what was printed."
    )
    message: str
    logger: str | None = Field(description="Name of the Python logger; null for what was printed.")
    exception: str | None = Field(description="Traceback of a record that carries one.")
    stream: Literal["output", "logging", "platform"] = Field(
        description="`output` was printed, `logging` a record of Python's `logging`, `platform` is the server's word."
    )
    source: Literal["realtime", "gate", "batch", "test"] = Field(
        description="What the host was for: `test` examines an upload, `gate` tries a version before it is deployed."
    )
    deployment_id: str | None
    batch_id: str | None
    chunk: int | None = Field(description="Of a batch: whose rows the host was running.")
    step: str | None = Field(description="Of a batch, as errors name it: `steps[0] Embedder`.")
    host_id: str = Field(description="Tells the hosts apart that wrote the lines.")


class PluginLogPage(Answer):
    """The latest lines, oldest first; `next_cursor` leads to the lines before them."""

    results: list[PluginLogLine]
    pagination: PageInfo
