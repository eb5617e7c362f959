"""Queries as vectors: embedded by the version that made what is searched, and remembered."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Literal

from mixpeek.errors import InvalidRequest, PluginReplyInvalid
from mixpeek.examination.vectors import LARGEST_NUMBER, fault_of_vector, vector_from_reply
from mixpeek.registry.models import PluginVersion

if TYPE_CHECKING:
    from mixpeek.retrieval.context import Context
    from mixpeek.retrieval.targets import Space

Mode = Literal["text", "content"]
# Of 384 numbers each, these are 12 MB.
MOST_REMEMBERED = 4096


class VectorCache:
    """The vectors of the latest queries, by what made them; shared by the threads of one process."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[float, array[float]]] = OrderedDict()

    def get(self, key: bytes, older_than_s: float | None = None) -> list[float] | None:
        """Return a vector, None where there is none, or one that has been kept for too long."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or (older_than_s is not None and time.monotonic() - kept[0] > older_than_s):
                return None
            self._kept.move_to_end(key)
            return kept[1].tolist()

    def put(self, key: bytes, vector: list[float]) -> None:
        with self._lock:
            self._kept[key] = (time.monotonic(), array("d", vector))
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


def embed(
    context: Context, space: Space, mode: Mode, value: str, *, remember: bool = True, ttl_s: float | None = None
) -> list[float]:
    """Return a query's vector in a space, asking the plugin version that made it unless it is remembered.

    A version without a realtime handler answers with its batch pipeline, one row at a time.

    Raises: PluginError: it fails. PluginReplyInvalid: what it answers is no vector of this space.
    """
    target, feature = space.targets[0], space.feature["name"]
    key = key_of(target.code_hash, target.parameters, feature, mode, value)
    vector = context.tools.vectors.get(key, ttl_s) if remember else None
    if vector is not None:
        context.cache_hits += 1
        return vector
    version = context.tools.find_version(context.reading.connection, target.plugin_namespace, target.plugin_id)
    context.reading.release()  # a plugin may take its time; others need the connection
    inputs = text_inputs(value, version) if mode == "text" else content_inputs(value, version)
    reply = context.tools.predict(version, inputs, target.parameters)
    vector = vector_of(reply, version, feature)
    if remember:
        context.tools.vectors.put(key, vector)
    return vector


def key_of(*parts: Any) -> bytes:
    """Return the key of a vector: what computes it, whatever that is called, and of what.

    It is short, as the content of a query may be megabytes.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()


def text_inputs(text: str, version: PluginVersion) -> dict[str, Any]:
    """Return the realtime inputs of a text query: `text`, and the plugin's own input when it has just one."""
    return {"text": text, **dict.fromkeys(_only_input(version), text)}


def content_inputs(value: str, version: PluginVersion) -> dict[str, Any]:
    """Return the realtime inputs of a query by content, a URL, data URI or base64, under every name in use for it."""
    kind = "url" if value.startswith(("http://", "https://", "s3://")) else "base64"
    return {"content": value, "data": value, kind: value, **dict.fromkeys(_only_input(version), value)}


def _only_input(version: PluginVersion) -> list[str]:
    properties = version.parsed_manifest.input_schema.get("properties", {})
    names = [name for name, schema in properties.items() if schema.get("type") == "string"]
    return names if len(names) == 1 else []


def vector_of(reply: Any, version: PluginVersion, name: str) -> list[float]:
    """Return a feature's vector from a version's realtime answer; raise PluginReplyInvalid if it holds none."""
    embeddings = version.parsed_manifest.embeddings
    feature = next(each for each in embeddings if each.feature_name == name)
    vector = vector_from_reply(reply, feature, only_feature=len(embeddings) == 1)
    fault = fault_of_vector(vector, feature)
    if fault or vector is None:
        keys = sorted(reply) if isinstance(reply, dict) else type(reply).__name__
        raise PluginReplyInvalid(
            f"The query could not be embedded: {fault}; {version.plugin_id} answered with {keys}",
            hint="POST …/realtime/test shows the reply; return the vector under the feature's name or `embedding`",
        )
    return vector


def checked_vector(value: Any, space: Space) -> list[float]:
    """Return a query that is given as a vector; raise InvalidRequest for one that is none of this space."""
    dimensions = space.feature["dimensions"]
    is_vector = isinstance(value, list) and all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in value
    )
    if not is_vector or len(value) != dimensions:
        has = f", not {len(value)}" if is_vector else ""
        raise InvalidRequest(
            f"The query vector must be a list of {dimensions} numbers{has}",
            hint=f"{space.feature['feature_uri']} has {dimensions} dimensions",
        )
    if not all(abs(number) <= LARGEST_NUMBER for number in value):
        raise InvalidRequest("The query vector holds a number that is too large", hint="They are stored as float32")
    return [float(number) for number in value]
