"""What answers have in common: exactly the documented keys, pages, and the envelope of every error."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """An answer, or a part of one, with exactly these keys."""

    # Built when first used: most processes never write the OpenAPI.
    model_config = ConfigDict(extra="forbid", defer_build=True)


class OpenAnswer(Answer):
    """An answer that carries keys of its author's beside these."""

    model_config = ConfigDict(extra="allow")


class PageInfo(Answer):
    """Where a page stands in its list; counting pages is left out where it would cost more than the page."""

    total: int | None = Field(description="Length of the whole list, where it was asked for.")
    page: int | None = Field(description="Number of this page, from 1, where the list was counted.")
    page_size: int
    total_pages: int | None
    next_page: None
    previous_page: None
    next_cursor: str | None = Field(description="Send as `cursor` for the next page; null on the last one.")


class ErrorDetails(OpenAnswer):
    """What is known of an error beside its message; further keys depend on its code."""

    request_id: str | None = Field(description="As in the header X-Request-Id, and in the server's log.")
    validation_errors: list[dict[str, Any]] | None = Field(
        None, description="Every fault found: of a request by its location, of a plugin by file and line."
    )


class ErrorBody(Answer):
    """What went wrong, and how to go on."""

    type: str = Field(examples=["NotFoundError"])
    code: str = Field(description="Stable dotted code, one per situation.", examples=["request.not_found"])
    message: str
    hint: str | None = Field(description="What to do next.")
    details: ErrorDetails


class ErrorEnvelope(Answer):
    """Every answer with a status of 400 or more."""

    success: Literal[False]
    status: int = Field(ge=400, le=599, description="The HTTP status, again.")
    error: ErrorBody
    upload_id: str | None = Field(None, description="Of a plugin that did not pass validation.")
    validation_status: Literal["failed"] | None = Field(None, description="Of a plugin that did not pass validation.")
    validation_errors: list[dict[str, Any]] | None = Field(
        None, description="Findings of a plugin that did not pass validation."
    )
