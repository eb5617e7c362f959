"""The OpenAPI of the application: FastAPI's, with the errors, permissions and words that routes need not repeat.

Put together when somebody asks for it, so that it costs the start of a server nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mixpeek.api.access import permission_of
from mixpeek.api.examples import EXAMPLES
from mixpeek.api.schemas.base import ErrorEnvelope

REFERENCE = "#/components/schemas/{model}"
ENVELOPE = {"application/json": {"schema": {"$ref": REFERENCE.format(model=ErrorEnvelope.__name__)}}}
DESCRIPTION = """Custom feature extractors: plugins are published and deployed, answer in realtime, run in batches over
a bucket's objects, and what they produced is searched.

Send `Authorization: Bearer <key>`: `mixpeek serve` keeps the first one in `admin.key` of its data dir. What belongs to
a namespace takes its id or name in `X-Namespace`. Errors come in one envelope, with a code and a hint."""
TAGS = {
    "health": "Whether the server is ready.",
    "metrics": "What Prometheus reads.",
    "api keys": "Keys of the organization. Only keys with the `admin` permission manage keys.",
    "secrets": "Values kept encrypted for the namespaces they are granted to. No answer holds a value.",
    "webhooks": "Who is told of what happens, and how it arrived. Only keys with the `admin` permission manage them.",
    "audit": "Who changed what, and who was refused.",
    "namespaces": "A namespace isolates everything in it from every other. Buckets, collections, retrievers and tasks"
    " answer under `/v1/namespaces/{namespace_id}/…` as well, as their own routes do with `X-Namespace`.",
    "plugins": "Upload, publish, deploy and inspect plugins.",
    "plugin traffic": "Two versions beside each other: a canary with a share of the requests, or a shadow.",
    "plugin versions": "A plugin by its name: history, rollback, differences. `-` and `_` are the same in a name.",
    "organization plugins": "Plugins an organization shares with its namespaces.",
    "inference": "Ask a deployed plugin.",
    "models": "Weights that plugins of a namespace load.",
    "extractors": "What collections can use.",
    "blobs": "Signed URLs; the signature allows the request, no key is sent.",
    "buckets": "Buckets hold objects that fit their schema.",
    "objects": "Objects group the blobs that belong together.",
    "bucket uploads": "Files put into a bucket through signed URLs.",
    "collections": "A collection runs an extractor over the objects of its buckets.",
    "documents": "What extractors made of objects.",
    "batches": "Runs over chosen objects.",
    "tasks": "How asynchronous work stands.",
    "retrievers": "Named searches.",
}
# What a parameter is, wherever it is used.
PARAMETERS = {
    "namespace_id": "Namespace, by id or name.",
    "bucket_identifier": "Bucket, by id or name.",
    "collection_identifier": "Collection, by id or name.",
    "retriever_identifier": "Retriever, by id or name.",
    "key_identifier": "API key, by id or name.",
    "secret_name": "The secret's name.",
    "plugin_id": "One version of a plugin, such as `text_embed_1_0_0`.",
    "model_id": "One version of a model, such as `embedder_1_0_0`.",
    "slug": "Name of a plugin; `-` and `_` are the same.",
    "extractor_id": "Extractor, by id or name.",
    "upload_id": "The upload, as its request answered.",
    "token": "Signature of the URL.",
    "object_id": "The object's id.",
    "document_id": "The document's id.",
    "batch_id": "The batch's id.",
    "task_id": "The task's id.",
    "webhook_identifier": "Webhook, by id or name.",
    "delivery_id": "The delivery's id.",
    "state": "Only deliveries in this state.",
    "event_type": "Only those of this event type.",
    "is_active": "Only those that are active, or that are not.",
    "limit": "Most results on one page.",
    "offset": "Results to leave out first.",
    "cursor": "`next_cursor` of the page before.",
    "force": "Do it although something depends on it.",
    "resource_type": "Only events of this kind of resource.",
    "resource_id": "Only events of this resource.",
    "action": "Only events of this action.",
    "status": "Only results with this status.",
    "source": "Which extractors to list.",
    "return_presigned_urls": "Also return a signed URL of the archive.",
    "return_vectors": "Also return the vectors.",
    "include_total": "Also count the whole list.",
    "deployment_type": "`batch_only` leaves the realtime endpoint out.",
    "x-namespace": "Namespace, by id or name; without it, of every namespace the key sees.",
    "accept": "`application/zip` asks for an archive.",
}


class DescribedApp(FastAPI):
    """An application whose OpenAPI says all that its routes can answer, those of an application before it included."""

    described: Sequence[APIRouter] = ()
    front: ASGIApp | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")  # as uvicorn reads it
        # The two describe the same calls with types of their own.
        self._behind_proxy: Any = ProxyHeadersMiddleware(cast("Any", self._routed), trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.front or self.behind_front)(scope, receive, send)

    async def behind_front(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what `front` hands on, believing a proxy on this machine about where it came from."""
        await self._behind_proxy(scope, receive, send)

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI, completed when first asked for."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi(), self.described)
        return self.openapi_schema


def operation_id(route: APIRoute) -> str:
    """Return the id of a route's operation: the name of its function."""
    return route.name


def tags() -> list[dict[str, str]]:
    """Return what each group of routes is about, in the order of the documentation."""
    return [{"name": name, "description": words} for name, words in TAGS.items()]


def _completed(description: dict[str, Any], routers: Sequence[APIRouter]) -> dict[str, Any]:
    for route in _routes(routers):
        for method in route.methods or ():
            _complete(description["paths"][route.path][method.lower()], route)
    components = description.setdefault("components", {})
    envelope = ErrorEnvelope.model_json_schema(ref_template=REFERENCE)
    components["schemas"] |= {**envelope.pop("$defs"), ErrorEnvelope.__name__: envelope}
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key of the organization."}
    }
    return description


def _routes(routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        yield from (route for route in router.routes if isinstance(route, APIRoute))


def _complete(operation: dict[str, Any], route: APIRoute) -> None:
    permission = permission_of(route.dependant)
    operation["summary"] = _summary(operation["operationId"])
    if permission is not None:
        operation["security"] = [{"key": []}]
        operation["x-permission"] = permission
    _describe_request(operation)
    for status in _refusals(operation, permission):
        operation["responses"].setdefault(str(status), {})
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            answer.update(description=HTTPStatus(int(status)).phrase, content=ENVELOPE)
        for content in answer.get("content", {}).values():
            # Beside the model FastAPI keeps what it makes of the function's return type.
            if "$ref" in content.get("schema", {}):
                content["schema"] = {"$ref": content["schema"]["$ref"]}
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _summary(operation: str) -> str:
    words = ["API" if word == "api" else word for word in operation.split("_")]
    return " ".join([words[0].capitalize(), *words[1:]])


def _describe_request(operation: dict[str, Any]) -> None:
    # The key is described by the security scheme.
    parameters = [given for given in operation.pop("parameters", []) if given["name"] != "authorization"]
    for parameter in parameters:
        parameter.setdefault("description", PARAMETERS.get(parameter["name"], ""))
    if parameters:
        operation["parameters"] = parameters
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        name = body_name(content["schema"])
        if name in EXAMPLES:
            content["example"] = EXAMPLES[name]


def body_name(schema: dict[str, Any]) -> str:
    """Return the name of the model that a body is made of, whether the body may be left out or not."""
    choices = [schema, *schema.get("anyOf", [])]
    return next((choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice), "")


def _refusals(operation: dict[str, Any], permission: str | None) -> set[int]:
    """Return the statuses of errors that follow from what a route takes."""
    found = {422}  # every route refuses query parameters that it does not know
    if permission is None:
        return found
    found |= {401, 403, 429, 503}
    if "requestBody" in operation:
        found |= {400, 413}
    if any(given["in"] == "path" or given["name"] == "x-namespace" for given in operation.get("parameters", [])):
        found.add(404)
    return found
