"""The application: every route, the error envelope, and what starts and stops with the process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import Depends, FastAPI

from mixpeek.api import errors
from mixpeek.api.access import refuse_unknown_query
from mixpeek.api.middleware import RequestEnvelope
from mixpeek.api.routes import (
    batches,
    blobs,
    buckets,
    collections,
    documents,
    extractors,
    health,
    namespaces,
    objects,
    plugins,
    retrievers,
    tasks,
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
ROOMS = (
    health,
    namespaces,
    plugins,
    extractors,
    blobs,
    buckets,
    objects,
    collections,
    documents,
    batches,
    tasks,
    retrievers,
)


def create_app(max_body_bytes: int, lifespan: Lifespan) -> FastAPI:
    """Return the application; `lifespan` puts the `Platform` into its state."""
    app = FastAPI(
        title="Mixpeek",
        version="1",
        lifespan=lifespan,
        separate_input_output_schemas=False,
        dependencies=[Depends(refuse_unknown_query)],
    )
    app.add_middleware(RequestEnvelope, max_body_bytes=max_body_bytes)
    errors.install(app)
    for room in ROOMS:
        app.include_router(room.router)
    return app
