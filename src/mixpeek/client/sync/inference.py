# Made from mixpeek/client/aio/inference.py by `make client`; change that one.
"""`client.inference`: ask deployed plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixpeek.client.response import Response
from mixpeek.client.sync.resource import Resource, without_none


class Inference(Resource):
    """Realtime answers of deployed plugins."""

    def ask(
        self,
        inference_name: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        feature_uri: str | None = None,
        namespace: str | None = None,
    ) -> Response:
        """Ask a plugin once; the answer holds its `output`, and the `version` and `code_hash` that gave it.

        Args:
            inference_name: a plugin's name, to ask whichever version is live, or a plugin id, to ask that version.
            inputs: what the handler is given.
            parameters: settings of the plugin, where it has any.
            feature_uri: in place of the name, `mixpeek://name/feature` or `mixpeek://name@1.2.3/feature`.
            namespace: default the client's own.
        """
        body = without_none(
            inference_name=inference_name,
            feature_uri=feature_uri,
            inputs=dict(inputs or {}),
            parameters=None if parameters is None else dict(parameters),
        )
        return self._transport.request("POST", f"{self._namespace_path(namespace)}/inference", body=body)
