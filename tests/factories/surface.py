"""The plugins surface of one namespace over plain HTTP, as the documents describe it; no client of ours between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from factories.plugins import zip_of
from factories.servers import API_KEY, Server
from factories.waiting import until

ENDED = ("DEPLOYED", "NOT_DEPLOYED", "FAILED")


@dataclass(frozen=True)
class Surface:
    """One namespace's plugins: `http` sends the key and its `base_url` ends in /v1; `plugins` is the path below."""

    http: httpx.Client
    namespace_id: str

    @property
    def plugins(self) -> str:
        return f"/namespaces/{self.namespace_id}/plugins"

    def get(self, path: str = "", **options: Any) -> httpx.Response:
        return self.http.get(f"{self.plugins}{path}", **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.http.post(f"{self.plugins}{path}", **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.http.delete(f"{self.plugins}{path}", **options)

    def open_upload(self, name: str, **body: Any) -> dict[str, Any]:
        """Ask where to PUT an archive."""
        place: dict[str, Any] = self.post("/uploads", json={"name": name, **body}).raise_for_status().json()
        return place

    def upload(self, archive: bytes, name: str, **body: Any) -> dict[str, Any]:
        """Ask for a place, PUT the archive there without a key, and return the place."""
        place = self.open_upload(name, **body)
        put(place, archive).raise_for_status()
        return place

    def confirm(self, place: dict[str, Any], **body: Any) -> httpx.Response:
        return self.post(f"/uploads/{place['upload_id']}/confirm", json=body)

    def publish(self, folder: Path, *, version: str | None = "1.0.0", **confirm: Any) -> str:
        """Publish a folder under its own name and return the plugin id."""
        place = self.upload(zip_of(folder), folder.name, version=version)
        answer = self.confirm(place, **confirm)
        assert answer.status_code == 200, answer.text
        plugin_id: str = answer.json()["plugin_id"]
        return plugin_id

    def status(self, plugin_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/{plugin_id}/status").raise_for_status().json()
        return found

    def deploy(self, plugin_id: str, **options: Any) -> dict[str, Any]:
        """Deploy a version and return its status once the rollout has ended, however it ended."""
        self.post(f"/{plugin_id}/deploy", **options).raise_for_status()
        return self.ended(plugin_id)

    def ended(self, plugin_id: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            status = self.status(plugin_id)
            return status if status["status"] in ENDED else None

        return until(ended, what=f"the rollout of {plugin_id} has ended", within_s=60) or {}


def put(place: dict[str, Any], archive: bytes) -> httpx.Response:
    """PUT an archive to its presigned URL, as anyone without a key does."""
    headers = {"Content-Type": "application/zip"}
    # Plain HTTP, here and below: without certificates, which take longer to read than most requests.
    return httpx.put(place["presigned_url"], content=archive, headers=headers, timeout=60, verify=False)


def surface_of(server: Server, namespace_id: str) -> Surface:
    """Return the surface of a namespace of `server`; the caller closes its `http`."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    return Surface(httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=90, verify=False), namespace_id)
