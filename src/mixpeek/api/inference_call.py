"""One request of the inference route: what its head and its body say, and how its answer begins.

Read here for the two ways a request may take, `api.inference` and `server.direct`, so that both answer alike.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
from pydantic import ValidationError

from mixpeek.api.access import unknown_query
from mixpeek.api.errors import invalid_request
from mixpeek.api.schemas.inference import AskInference
from mixpeek.errors import InvalidRequest, NotFound
from mixpeek.serving.replica import Answer, Served
from mixpeek.serving.replica_set import ReplicaSet
from mixpeek.serving.routing import Wanted, wanted_from_uri
from mixpeek.tenancy.service import hash_key, key_in

Headers = list[tuple[bytes, bytes]]

_KEYS = frozenset(AskInference.model_fields)
# Unique without asking the system for random bytes each time.
_FIRST_HALF = secrets.token_hex(4)
_numbers = itertools.count(int.from_bytes(secrets.token_bytes(2)))


class Head:
    """What the head of a request says."""

    __slots__ = ("authorization", "content_length", "is_nested", "key_hash", "namespace", "query", "request_id")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], query: bytes, namespace: str | None = None) -> None:
        self.authorization: str | None = None
        self.content_length = 0
        self.namespace = namespace
        self.is_nested = namespace is not None
        self.query = query
        given = ""
        for name, value in headers:
            if name == b"authorization":
                self.authorization = value.decode("latin-1")
            elif name == b"x-namespace" and not self.is_nested:
                self.namespace = value.decode("latin-1")
            elif name == b"content-length" and value.isdigit():
                self.content_length = int(value)
            elif name == b"x-request-id":
                given = value.decode("ascii", "ignore")
        key = key_in(self.authorization)
        self.key_hash = None if key is None else hash_key(key)
        self.request_id = given if 0 < len(given) <= 100 and given.isprintable() else None

    def named_namespace(self) -> str:
        """Return the id or name of the namespace; raise InvalidRequest if there is none, or another query."""
        named = self.namespace
        if self.query:
            known: set[str] = set() if self.is_nested else {"namespace"}
            query = dict(parse_qsl(self.query.decode("latin-1"), keep_blank_values=True))
            for name in query:
                if name not in known:
                    raise unknown_query(name, known)
            named = named or query.get("namespace")
        if not named:
            raise InvalidRequest("No namespace was named", hint="Send the header `X-Namespace: <namespace id or name>`")
        return named


class Call:
    """One request on its way; `target` is the set that was asked, None as long as there is none."""

    __slots__ = ("batch", "began", "feature", "head", "headers", "request_id", "target")

    def __init__(self, head: Head) -> None:
        self.began = time.perf_counter()
        self.head = head
        self.request_id = head.request_id or f"req_{_FIRST_HALF}{next(_numbers):08x}"
        self.target: ReplicaSet | None = None
        self.feature: str | None = None
        self.batch = 0
        self.headers: Headers = []

    def aim(self, target: ReplicaSet, wanted: Wanted) -> None:
        """Note who is asked; raise NotFound for a feature that this version does not have."""
        self.target = target
        if wanted.feature is not None:
            features = target.served.features
            if wanted.feature not in features:
                known = ", ".join(features.values()) or "none"
                raise NotFound("feature", wanted.feature, hint=f"{target.served.plugin_id} has: {known}")
            self.feature = features[wanted.feature]

    def answered(self, answer: Answer) -> tuple[bytes, Headers, bytes]:
        """Return how an answer is told: the header lines of its version, the headers of its own, and the body."""
        self.batch = answer.batch
        begin, lines, _ = spoken(answer.served, self.feature)
        body = b"%b%b}" % (begin, answer.result)
        own = [(b"content-length", b"%d" % len(body)), (b"x-request-id", self.request_id.encode())]
        if answer.batch > 1:
            own.append((b"x-batch-size", b"%d" % answer.batch))
        return lines, own + self.headers, body


def lines_of(headers: Headers) -> bytes:
    """Return headers as they are written."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def wanted_in(body: bytes) -> Wanted:
    """Return which plugin a body asks; raise InvalidRequest for one that the schema does not allow."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        fault = {"type": "json_invalid", "loc": ("body", error.pos), "msg": f"JSON decode error: {error.msg}"}
        raise invalid_request([fault]) from error
    name = asked.get("inference_name") if type(asked) is dict else None
    # The common case at a glance; the model judges, and words, all others.
    if (
        type(name) is not str
        or not 0 < len(name) <= 200
        or asked.keys() - _KEYS
        or type(asked.get("inputs")) is not dict
        or asked.get("feature_uri") is not None
        or type(asked.get("parameters") or {}) is not dict
    ):
        return _checked(asked)
    return _named(name)


@lru_cache(maxsize=1024)
def _named(name: str) -> Wanted:
    return Wanted(name)


def _checked(asked: Any) -> Wanted:
    try:
        request = AskInference.model_validate(asked)
        return Wanted(request.inference_name) if request.inference_name else wanted_from_uri(request.feature_uri or "")
    except ValidationError as error:
        lines = [{**line, "loc": ("body", *line["loc"])} for line in error.errors(include_url=False)]
        raise invalid_request(lines) from error
    except ValueError as error:
        line = {"type": "value_error", "loc": ("body", "feature_uri"), "msg": f"Not a feature URI: {error}"}
        raise invalid_request([line]) from error


@lru_cache(maxsize=1024)
def spoken(served: Served, feature: str | None) -> tuple[bytes, bytes, Headers]:
    """Return what every answer of a version begins with, and its headers: as lines, and one by one."""
    begin = orjson.dumps(
        {
            "status": "success",
            "inference_name": served.plugin_id,
            "feature_uri": feature or served.feature_uri,
            "version": served.version,
            "code_hash": served.code_hash,
        }
    )
    headers = [
        (b"content-type", b"application/json"),
        (b"x-plugin-version", served.version.encode()),
        (b"x-code-hash", served.code_hash.encode()),
    ]
    return begin[:-1] + b',"output":', lines_of(headers), headers
