"""Every error as the documented envelope, whoever raised it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mixpeek.errors import InvalidRequest, MixpeekError, NotFound, PlatformError, ServiceUnavailable, Unauthorized
from mixpeek.logging import request_id

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Register the handlers that turn exceptions into responses."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for known in (MixpeekError, psycopg.OperationalError, psycopg.DataError, UnicodeEncodeError):
        app.add_exception_handler(known, _answer)


def envelope(error: MixpeekError) -> dict[str, Any]:
    """Return the body of an error response; the request id is in its details."""
    body = error.wire()
    body["details"] = {**body["details"], "request_id": request_id.get()}
    extra: dict[str, Any] = getattr(error, "envelope", {})
    return {"success": False, "status": error.status, "error": body, **extra}


def respond(error: MixpeekError) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else {}
    if error.status == 503:
        headers["Retry-After"] = str(getattr(error, "retry_after_s", 2))
    return JSONResponse(_jsonable(envelope(error)), status_code=error.status, headers=headers)


def invalid_request(lines: Sequence[Any]) -> InvalidRequest:
    """Return pydantic's findings as one error: all of them in the details, the first in the message."""
    errors = [{"type": e["type"], "location": list(e["loc"]), "message": e["msg"]} for e in lines]
    first = errors[0]
    place = ".".join(str(part) for part in first["location"])
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    hint = "`details.validation_errors` lists every fault; /docs shows what the route takes"
    return InvalidRequest(f"{place}: {first['message']}{more}", hint=hint, validation_errors=errors)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return respond(invalid_request(error.errors()))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return respond(NotFound("route", f"{request.method} {request.url.path}", hint="See /docs for every route"))
    known = MixpeekError(str(error.detail), hint="See /docs for every route")
    body = envelope(known)
    body["status"] = error.status_code
    body["error"]["type"] = "MethodNotAllowedError" if error.status_code == 405 else "BadRequestError"
    body["error"]["code"] = f"http.{error.status_code}"
    return JSONResponse(_jsonable(body), status_code=error.status_code, headers=error.headers)


async def _answer(_request: Request, error: Exception) -> JSONResponse:
    return answer_to(error)


def answer_to(error: Exception) -> JSONResponse:
    """Return the answer that tells an error which a route's function raised; what is the server's fault is logged."""
    if isinstance(error, MixpeekError):
        if isinstance(error, PlatformError):
            log.error("%s: %s", error.code, error.message)
        return respond(error)
    if isinstance(error, (psycopg.DataError, UnicodeEncodeError)):
        # JSON can carry it and PostgreSQL cannot hold it, such as a text with a NUL character.
        log.warning("the database refused a value: %s", error)
        return respond(
            InvalidRequest(f"A value cannot be stored: {error}", hint="Send text without NUL or lone surrogates")
        )
    return unexpected(error)


def unexpected(error: Exception) -> JSONResponse:
    """Write the trace into the log and return the answer that points to it."""
    return respond(unforeseen(error))


def unforeseen(error: Exception) -> MixpeekError:
    """Write the trace of an error into the log, and return what is told of it."""
    if isinstance(error, psycopg.OperationalError):
        log.error("the database does not answer: %s", error)
        return ServiceUnavailable("The database does not answer right now", hint="Send the request again shortly")
    log.error("unhandled error", exc_info=error)
    return PlatformError(
        "The server met an error it did not expect", hint="The server's log has the trace under this request id"
    )


def _jsonable(value: Any) -> Any:
    from fastapi.encoders import jsonable_encoder

    return jsonable_encoder(value)
