"""The application: every route, the error envelope, and what starts and stops with the process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import Depends, FastAPI

from mixpeek.api import docs_page, errors
from mixpeek.api.access import refuse_unknown_query
from mixpeek.api.aliases import NamespaceAliases
from mixpeek.api.direct import Direct
from mixpeek.api.inference import Inference
from mixpeek.api.middleware import RequestEnvelope
from mixpeek.api.observing import observer
from mixpeek.api.openapi import DESCRIPTION, DescribedApp, operation_id, tags
from mixpeek.api.rate_limit import Limit, RateLimit
from mixpeek.api.recording import Recorder
from mixpeek.api.routes import (
    audit,
    batches,
    blobs,
    bucket_uploads,
    buckets,
    collection_upgrades,
    collections,
    document_edits,
    documents,
    extractors,
    health,
    inference,
    keys,
    metrics,
    models,
    namespaces,
    objects,
    plugin_library,
    plugin_logs,
    plugin_sources,
    plugin_traffic,
    plugin_versions,
    plugins,
    retriever_executions,
    retrievers,
    secrets,
    tasks,
    webhooks,
)
from mixpeek.serving.tally import Requests

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
# Where two paths overlap the first wins: `/plugins/available` before `/plugins/{plugin_id}`.
ROUTERS = (
    health.router,
    metrics.router,
    keys.router,
    secrets.router,
    webhooks.router,
    audit.router,
    namespaces.router,
    plugin_library.router,
    plugin_library.organization_router,
    plugin_traffic.router,
    plugin_versions.router,
    plugins.router,
    plugin_sources.router,
    plugin_logs.router,
    plugin_logs.organization_router,
    models.router,
    inference.router,
    extractors.router,
    extractors.flat_router,
    blobs.router,
    buckets.router,
    objects.router,
    bucket_uploads.router,
    collections.router,
    collection_upgrades.router,
    document_edits.router,
    documents.router,
    batches.router,
    batches.analytics_router,
    tasks.router,
    retriever_executions.router,
    retrievers.router,
)


def create_app(
    max_body_bytes: int, lifespan: Lifespan, *, rate_limit_per_minute: int = 0, rate_limit_burst: int = 0
) -> DescribedApp:
    """Return the application; `lifespan` puts the `Platform` into its state."""
    app = DescribedApp(
        title="Mixpeek",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        separate_input_output_schemas=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        openapi_tags=tags(),
        # Declared here, so that FastAPI does not add an envelope of its own; `openapi` fills it in.
        responses={422: {}},
        dependencies=[Depends(refuse_unknown_query)],
    )
    app.described = ROUTERS
    limit = Limit(rate_limit_per_minute, rate_limit_burst) if rate_limit_per_minute else None
    app.state.unrouted = Requests()
    direct = Direct(app.behind_front, app.state, retriever_executions.executed, max_body_bytes, limit)
    app.front = Inference(direct, app.state, max_body_bytes, limit, observer(app.state.unrouted))
    # The last one added is the outermost.
    app.add_middleware(Recorder)
    if limit is not None:
        app.add_middleware(RateLimit, limit=limit)
    app.add_middleware(RequestEnvelope, max_body_bytes=max_body_bytes)
    app.add_middleware(NamespaceAliases)
    errors.install(app)
    docs_page.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
