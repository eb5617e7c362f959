# Made from mixpeek/client/aio/models.py by `make client`; change that one.
"""`client.models`: weights that plugins of a namespace load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mixpeek.client.addresses import segment
from mixpeek.client.archives import weights_from
from mixpeek.client.response import Response
from mixpeek.client.sync.resource import Resource, without_none
from mixpeek.client.sync.world import off_loop

# Validation reads all of a model.
_LONG_ANSWER_S = 600.0


class Models(Resource):
    """Models of a namespace; every method takes `namespace` to name another than the client's."""

    def upload(
        self,
        path: str | Path | bytes,
        *,
        name: str,
        version: str,
        model_format: str,
        description: str | None = None,
        framework: str | None = None,
        task_type: str | None = None,
        on_progress: Callable[[int], None] | None = None,
        namespace: str | None = None,
    ) -> Response:
        """Store one model: ask for a place, send it, have it checked; the answer carries its `model_id`.

        Args:
            path: a folder, which is packed; an archive (zip, tar.gz); or a file of weights, as a path or its bytes.
            model_format: safetensors, onnx, pytorch or huggingface.
            on_progress: called with the number of bytes sent so far.
        Raises: ApiError: 400 with `validation_errors` if the model is refused, 409 if its id is taken.
        """
        content = path if isinstance(path, bytes) else off_loop(weights_from, Path(path))
        base = self._base(namespace)
        place = self._transport.request(
            "POST",
            f"{base}/uploads",
            body=without_none(
                name=name,
                version=version,
                model_format=model_format,
                description=description,
                framework=framework,
                task_type=task_type,
                file_size_bytes=len(content),
            ),
        )
        etag = self._transport.put(place["presigned_url"], content, "application/octet-stream", progress=on_progress)
        return self._transport.request(
            "POST",
            f"{base}/uploads/{segment(place['upload_id'])}/confirm",
            body=without_none(etag=etag, file_size_bytes=len(content)),
            timeout_s=_LONG_ANSWER_S,
        )

    def list(self, *, limit: int | None = None, offset: int | None = None, namespace: str | None = None) -> Response:
        """Return the `models`, by id, and their `total`."""
        return self._transport.request("GET", self._base(namespace), query={"limit": limit, "offset": offset})

    def get(self, model_id: str, *, namespace: str | None = None) -> Response:
        """Return one model: the answer carries it under `model`."""
        return self._transport.request("GET", f"{self._base(namespace)}/{segment(model_id)}")

    def deploy(self, model_id: str, *, namespace: str | None = None) -> Response:
        """Make a model loadable for plugins that are deployed from now on."""
        path = f"{self._base(namespace)}/{segment(model_id)}/deploy"
        return self._transport.request("POST", path, timeout_s=_LONG_ANSWER_S)

    def delete(self, model_id: str, *, namespace: str | None = None) -> Response:
        """Delete a model; raises ApiError 409 while a live plugin declares it."""
        return self._transport.request("DELETE", f"{self._base(namespace)}/{segment(model_id)}")

    def _base(self, namespace: str | None) -> str:
        return f"{self._namespace_path(namespace)}/models"
