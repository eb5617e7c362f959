"""The page at `/docs` that tries every route in a browser, without asking anything of the outside world.

FastAPI's own page loads its scripts from a content network; `fastapi-offline` carries the same files in its package.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

ASSETS = "/docs/assets"


def install(app: FastAPI) -> None:
    """Serve the page and its assets; the application's own `docs_url` must be off."""
    app.mount(ASSETS, StaticFiles(directory=_assets()), name="docs-assets")
    app.add_api_route("/docs", _page, include_in_schema=False)
    app.add_api_route("/", _front, include_in_schema=False)


def _assets() -> Path:
    found = importlib.util.find_spec("fastapi_offline")
    assert found is not None and found.origin is not None, "fastapi-offline comes with the extra `server`"
    return Path(found.origin).parent / "static"


async def _page() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Mixpeek: every route",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
        swagger_ui_parameters={"filter": True, "persistAuthorization": True},
    )


async def _front() -> RedirectResponse:
    """Lead whoever opens the address that `mixpeek serve` prints to the page."""
    return RedirectResponse("/docs")
