"""A client of a model hub that speaks the documented protocol: a revision's files, then each file by its commit.

Downloads go on where they were cut off, are checked against the hub's own hashes, and stay below a cap.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import SecretStr

from mixpeek.inspection.entries import split_name
from mixpeek.inspection.findings import Finding
from mixpeek.model_store.errors import HubUnavailable, ModelNotFound
from mixpeek.model_store.formats import is_safe_file

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 4
_MAX_LISTING_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 128 * 1024
_MAX_FILES = 1_000


class _Interrupted(Exception):
    """The connection broke; asking again may help."""


@dataclass(frozen=True)
class HubFile:
    """One file of a revision; `sha256` for large files, else `git_sha1`, where the hub says them."""

    path: str
    size_bytes: int
    sha256: str | None
    git_sha1: str | None


@dataclass(frozen=True)
class HubModel:
    """A model at one commit, with the files of safe kinds."""

    name: str
    revision: str
    files: tuple[HubFile, ...]


class Hub:
    """One hub."""

    def __init__(self, url: str, token: SecretStr | None, limit_bytes: int, *, timeout_s: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._limit_bytes = limit_bytes
        self._timeout_s = timeout_s

    def resolve(self, name: str, revision: str) -> HubModel:
        """Return a model's commit and files.

        Raises: ModelNotFound: the hub has no such model or revision. HubUnavailable: it does not answer.
        """
        url = f"{self._url}/api/models/{name}/revision/{quote(revision, safe='')}"
        answer = self._patiently(lambda: self._listing(url, name, revision))
        return self._model_from(answer, name)

    def download(self, model: HubModel, folder: Path) -> None:
        """Download every file below `folder`; one that is there is kept, a part of one is completed.

        Raises: HubUnavailable: the hub stopped answering, or sent something else than it announced.
        """
        for file in model.files:
            target = folder / file.path
            if target.is_file():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            part = folder / f"{file.path}.part"
            url = f"{self._url}/{model.name}/resolve/{model.revision}/{quote(file.path)}"
            self._patiently(lambda url=url, part=part, file=file: self._complete(url, part, file))
            if not _is_intact(part, file):
                part.unlink()
                raise HubUnavailable(f"{file.path} of {model.name} did not arrive as the hub announced it")
            part.rename(target)

    def _patiently(self, ask: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return ask()
            except _Interrupted as error:
                if attempt == ATTEMPTS:
                    raise HubUnavailable(f"the hub at {self._url} does not answer: {error}") from error
                time.sleep(0.2 * 2**attempt)
        raise AssertionError("unreachable")

    def _listing(self, url: str, name: str, revision: str) -> dict[str, Any]:
        with self._open(url, {"blobs": "true"}, {}) as answer:
            if answer.status_code in (401, 403, 404):
                raise ModelNotFound(
                    f"The hub has no model {name} at {revision}, or it is not public ({answer.status_code})",
                    hint="Check the name; MIXPEEK_HUB_TOKEN gives access to models that are not public",
                )
            self._expect(answer, 200)
            text = b"".join(_capped(answer, _MAX_LISTING_BYTES))
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise HubUnavailable(f"the hub at {self._url} did not answer with JSON") from error
        return body if isinstance(body, dict) else {}

    def _model_from(self, body: dict[str, Any], name: str) -> HubModel:
        commit, siblings = body.get("sha"), body.get("siblings")
        if not isinstance(commit, str) or not commit.isalnum() or not isinstance(siblings, list):
            raise HubUnavailable(f"the hub at {self._url} did not answer as a hub does")
        files = [file for each in siblings if (file := _file_from(each)) is not None]
        total = sum(file.size_bytes for file in files)
        if total > self._limit_bytes or len(files) > _MAX_FILES:
            raise ModelNotFound(
                f"{name} has {len(files)} files of {total} bytes together; the limit is {self._limit_bytes}",
                hint="Raise MIXPEEK_MAX_MODEL_BYTES, or name a smaller model",
            )
        if not files:
            raise ModelNotFound(f"{name} has no file of a safe kind: it needs safetensors or onnx weights")
        return HubModel(name, commit, tuple(files))

    def _complete(self, url: str, part: Path, file: HubFile) -> None:
        """Fetch what is missing of one file."""
        have = part.stat().st_size if part.exists() else 0
        if have == file.size_bytes and part.exists():
            return
        with self._open(url, {}, {"Range": f"bytes={have}-"} if have else {}) as answer:
            if have and answer.status_code == 416:
                part.unlink()
                raise _Interrupted("a part of a file was too long")
            self._expect(answer, 200, 206)
            # A hub that does not know ranges sends the file from its beginning.
            with part.open("ab" if answer.status_code == 206 else "wb", buffering=0) as out:
                for chunk in _capped(answer, file.size_bytes - (have if answer.status_code == 206 else 0)):
                    out.write(chunk)

    @contextmanager
    def _open(self, url: str, params: dict[str, str], headers: dict[str, str]) -> Iterator[httpx.Response]:
        import httpx  # slow to load, and a server that has its models never asks the hub

        # Asked for as it is: the sizes and hashes are those of the plain bytes.
        wanted = {**self._headers, "Accept-Encoding": "identity", **headers}
        try:
            with (
                httpx.Client(follow_redirects=True, max_redirects=5, timeout=self._timeout_s) as http,
                http.stream("GET", url, params=params, headers=wanted) as answer,
            ):
                yield answer
        except httpx.TransportError as error:
            raise _Interrupted(str(error) or type(error).__name__) from error
        except (httpx.TooManyRedirects, httpx.InvalidURL) as error:
            raise HubUnavailable(f"the hub at {self._url} leads nowhere: {error}") from error

    def _expect(self, answer: httpx.Response, *statuses: int) -> None:
        if answer.status_code in statuses:
            return
        if answer.status_code >= 500 or answer.status_code == 429:
            raise _Interrupted(f"it answered {answer.status_code}")
        raise HubUnavailable(f"the hub at {self._url} answered {answer.status_code}")


def _file_from(sibling: Any) -> HubFile | None:
    """Return a file of a safe kind and name; others are left where they are."""
    if not isinstance(sibling, dict) or not isinstance(sibling.get("rfilename"), str):
        return None
    path, size, large = sibling["rfilename"], sibling.get("size"), sibling.get("lfs")
    parts = split_name(path)
    if isinstance(parts, Finding) or "/".join(parts) != path or not is_safe_file(path):
        return None
    if not isinstance(size, int) or size < 0:
        return None
    sha256 = large.get("sha256") if isinstance(large, dict) else None
    return HubFile(path, size, _text(sha256), None if sha256 else _text(sibling.get("blobId")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _capped(answer: httpx.Response, limit_bytes: int) -> Iterator[bytes]:
    seen = 0
    for chunk in answer.iter_raw(_CHUNK_BYTES):
        seen += len(chunk)
        if seen > limit_bytes:
            raise HubUnavailable(f"{answer.url} sends more than the {limit_bytes} bytes announced")
        yield chunk


def _is_intact(part: Path, file: HubFile) -> bool:
    if part.stat().st_size != file.size_bytes:
        return False
    if file.sha256 is not None:
        with part.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256
    if file.git_sha1 is not None:
        digest = hashlib.sha1(f"blob {file.size_bytes}\0".encode(), usedforsecurity=False)
        with part.open("rb") as content:
            while chunk := content.read(_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest() == file.git_sha1
    return True
