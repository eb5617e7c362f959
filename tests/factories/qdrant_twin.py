"""The routes of a Qdrant server that the platform asks, over the local mode of Qdrant's own client.

It stands in for a server where there is none: what is sent, how it is answered and how its absence looks are real; how
a cluster divides and finds vectors is not.
"""

from __future__ import annotations

import json
import re
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from qdrant_client import QdrantClient, models

from factories.seaweed import free_ports

_PATH = re.compile(r"/collections/(?P<name>[^/?]+)(?P<rest>[^?]*)")


class QdrantTwin:
    """Answers on one port; what it holds outlasts a stop."""

    def __init__(self) -> None:
        [self.port] = free_ports(1)
        self.held = QdrantClient(location=":memory:")
        self._one_at_a_time = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """What `MIXPEEK_DOCUMENTS_URL` is set to."""
        return f"qdrant://127.0.0.1:{self.port}"

    def start(self) -> QdrantTwin:
        twin = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                with twin._one_at_a_time, warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    result = twin._answer(self.command, self.path, body)
                content = json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = answer

            def log_message(self, *_: Any) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def count(self) -> int:
        """Count the points of all collections."""
        with self._one_at_a_time:
            return sum(self.held.count(each.name).count for each in self.held.get_collections().collections)

    def _answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        if (method, path) == ("GET", "/collections"):
            return self.held.get_collections().model_dump(mode="json")
        found = _PATH.match(path)
        assert found is not None, path
        name = found["name"]
        match method, found["rest"]:
            case "GET", "/exists":
                return {"exists": self.held.collection_exists(name)}
            case "PUT", "":
                return self.held.create_collection(name, vectors_config=models.VectorParams(**body["vectors"]))
            case "PUT", "/index":
                return {"operation_id": 0, "status": "completed"}
            case "PUT", "/points":
                self.held.upsert(name, [models.PointStruct(**point) for point in body["points"]])
                return {"operation_id": 0, "status": "completed"}
            case "POST", "/points/count":
                return {"count": self.held.count(name).count}
            case "POST", "/points/query":
                points = self.held.query_points(
                    name,
                    query=body["query"]["nearest"],
                    query_filter=models.Filter(**body["filter"]),
                    limit=body["limit"],
                    with_payload=body["with_payload"],
                ).points
                return {"points": [point.model_dump(mode="json") for point in points]}
            case "POST", "/points":
                records = self.held.retrieve(
                    name, body["ids"], with_payload=body["with_payload"], with_vectors=body["with_vector"]
                )
                return [record.model_dump(mode="json") for record in records]
            case "POST", "/points/delete":
                selector: Any = (
                    models.FilterSelector(filter=models.Filter(**body["filter"]))
                    if "filter" in body
                    else models.PointIdsList(points=body["points"])
                )
                self.held.delete(name, selector)
                return {"operation_id": 0, "status": "completed"}
        raise AssertionError(f"the platform asks {method} {path}, which this twin does not know")
