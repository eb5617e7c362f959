"""The broker of an author's machine: files beside the sample rows, secrets and a language model by environment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mixpeek.broker.llm import NOT_CONFIGURED, LanguageModel
from mixpeek.contract.asking import Refused
from mixpeek.execution.asks.port import Generation, GenerationRequest
from mixpeek.objects.assets import SCHEME

SECRET_PREFIX = "MIXPEEK_SECRET_"  # noqa: S105 - a name


class LocalBroker:
    """Answers the hosts of `mixpeek plugin test`; see `Broker` in `execution.asks.port`.

    Args:
        folder: where the sample rows lie; a plugin may read what lies in it or below. None: no file.
        environ: the environment; a secret `K` is the variable `MIXPEEK_SECRET_K`.
    """

    def __init__(
        self,
        folder: Path | None,
        environ: Mapping[str, str],
        model: LanguageModel | None = None,
        key_name: str | None = None,
    ) -> None:
        self._folder = None if folder is None else folder.resolve()
        self._secrets = {
            name.removeprefix(SECRET_PREFIX): value for name, value in environ.items() if name.startswith(SECRET_PREFIX)
        }
        self._model = model
        self._key_name = key_name

    async def asset_size(self, namespace_id: str | None, url: str) -> int:  # noqa: ARG002 - there is one author
        """Return how many bytes a file has; raise Refused."""
        path = self._path(url)
        return await asyncio.to_thread(lambda: path.stat().st_size)

    async def read_asset(self, namespace_id: str | None, url: str, offset: int, size: int) -> bytes:  # noqa: ARG002
        """Return a piece of a file; raise Refused."""
        return await asyncio.to_thread(_read, self._path(url), offset, size)

    async def secret(self, namespace_id: str | None, name: str) -> str:  # noqa: ARG002
        """Return the value of the variable that stands for a secret; raise Refused."""
        if name not in self._secrets:
            raise Refused(
                "not_granted",
                f"No secret {name!r} here. Set the variable {SECRET_PREFIX}{name} for this test; on a server, an admin"
                f" grants it: `mixpeek secret create {name} --namespace <namespace>`",
            )
        return self._secrets[name]

    async def list_secrets(self, namespace_id: str | None) -> list[str]:  # noqa: ARG002
        """Return the names for which there are variables."""
        return sorted(self._secrets)

    async def generate(self, namespace_id: str | None, request: GenerationRequest) -> Generation:
        """Have the language model of the author's own settings answer; raise Refused."""
        if self._model is None:
            raise Refused("not_configured", NOT_CONFIGURED)
        key = None if self._key_name is None else await self.secret(namespace_id, self._key_name)
        return await self._model.generate(request, key)

    def _path(self, url: str) -> Path:
        if url.startswith(SCHEME):
            raise Refused("not_found", "there is no server in a test; name a file beside the sample data instead")
        if self._folder is None:
            raise Refused("not_found", "there is no such file; files beside the `--sample-data` are found")
        named = unquote(urlsplit(url).path) if url.startswith("file:") else url
        path = (self._folder / named).resolve()  # links are followed first, so that none leads out
        if not path.is_relative_to(self._folder):
            raise Refused("not_found", f"a test reads only files in {self._folder}, where the sample data lies")
        if not path.is_file():
            raise Refused("not_found", f"there is no file {named} in {self._folder}, where the sample data lies")
        return path


def _read(path: Path, offset: int, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)
    except OSError as error:
        raise Refused("unavailable", f"it cannot be read: {error.strerror}") from None
