"""A server's broker: assets of the namespace from the object store, secrets from the vault, the operator's model."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn, TypeVar

import psycopg

from mixpeek.broker.llm import NOT_CONFIGURED, LanguageModel
from mixpeek.contract.asking import Refused
from mixpeek.db.pool import Connection, Database
from mixpeek.errors import MixpeekError, NotFound
from mixpeek.execution.asks.port import Generation, GenerationRequest
from mixpeek.logging import hiding
from mixpeek.objects.assets import SCHEME, asset_prefix, key_from_asset_url
from mixpeek.objects.store import ObjectStore
from mixpeek.secrets.errors import SecretNotGranted
from mixpeek.secrets.service import Vault, list_names

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# What plugins ask must leave connections for those who answer requests.
_CONNECTIONS = 2
# At most one line about the object store in so many seconds.
_COMPLAIN_S = 10.0
# So long after it did not answer it is not asked again: each try takes a second or more, and there may be many rows.
_REST_S = 0.5


class PlatformBroker:
    """Answers hosts in the name of the namespace they work for; see `Broker` in `execution.asks.port`.

    Args:
        model: None where the operator configured none. key_name: the secret that holds its key, None for no key.
    """

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        vault: Vault,
        model: LanguageModel | None = None,
        key_name: str | None = None,
    ) -> None:
        self._database = database
        self._objects = objects
        self._vault = vault
        self._model = model
        self._key_name = key_name
        self._complained_at = self._failed_at = -_COMPLAIN_S
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="asked-secrets")

    async def asset_size(self, namespace_id: str | None, url: str) -> int:
        """Return how many bytes an asset has; raise Refused."""
        key = _own_key(namespace_id, url)
        self._check_rested()
        try:
            return await self._objects.size_async(key)
        except NotFound:
            raise _no_asset() from None
        except Exception as error:  # each store has errors of its own; none of their words are for a plugin
            self._raise_away(error)

    async def read_asset(self, namespace_id: str | None, url: str, offset: int, size: int) -> bytes:
        """Return a piece of an asset; raise Refused."""
        key = _own_key(namespace_id, url)
        self._check_rested()
        try:
            return await self._objects.read_range_async(key, offset, size)
        except NotFound:
            raise _no_asset() from None
        except Exception as error:  # as above
            self._raise_away(error)

    async def secret(self, namespace_id: str | None, name: str) -> str:
        """Return the value of a granted secret; raise Refused, which says how to grant it."""
        if namespace_id is None:
            raise _no_namespace()
        return await self._with_connection(lambda connection: self._vault.reveal(connection, namespace_id, name))

    async def list_secrets(self, namespace_id: str | None) -> list[str]:
        """Return the names of granted secrets; raise Refused."""
        if namespace_id is None:
            raise _no_namespace()
        return await self._with_connection(lambda connection: list_names(connection, namespace_id))

    async def generate(self, namespace_id: str | None, request: GenerationRequest) -> Generation:
        """Have the operator's language model answer, with the namespace's key; raise Refused."""
        if self._model is None:
            raise Refused("not_configured", NOT_CONFIGURED)
        key = None
        if self._key_name is not None:
            try:
                key = await self.secret(namespace_id, self._key_name)
            except Refused as refused:
                where = "the language model's key, as MIXPEEK_LLM_SECRET names it"
                raise Refused(refused.code, f"{where}: {refused.reason}") from None
        return await self._model.generate(request, key)

    async def _with_connection(self, work: Callable[[Connection], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_transaction, work)

    def _raise_away(self, error: Exception) -> NoReturn:
        self._failed_at = now = time.monotonic()
        if now - self._complained_at > _COMPLAIN_S:  # plugins decide how often this is met
            self._complained_at = now
            log.warning("a plugin's asset could not be read from the object store: %r", error)
        raise _store_away() from error

    def _check_rested(self) -> None:
        if time.monotonic() - self._failed_at < _REST_S:
            raise _store_away()

    def _in_transaction(self, work: Callable[[Connection], Result]) -> Result:
        with hiding():
            try:
                with self._database.transaction() as connection:
                    return work(connection)
            except (NotFound, SecretNotGranted) as error:
                code = "not_found" if isinstance(error, NotFound) else "not_granted"
                raise Refused(code, f"{error.message}. {error.hint}") from None
            except MixpeekError as error:
                raise Refused("unavailable", error.message) from None
            except psycopg.OperationalError:
                raise Refused("unavailable", "the platform's database does not answer at the moment") from None


def _own_key(namespace_id: str | None, url: str) -> str:
    """Return the key of an asset that a host of this namespace may read; raise Refused for every other address."""
    key = key_from_asset_url(url)
    if key is None:
        raise Refused("invalid", f"it is not the address of an asset; those begin with {SCHEME}namespaces/")
    if namespace_id is None:
        raise _no_namespace()
    if not key.startswith(asset_prefix(namespace_id)):
        # The same whether it exists or not.
        raise Refused("not_found", f"it is no asset of {namespace_id}, the namespace that this plugin works for")
    return key


def _store_away() -> Refused:
    return Refused("unavailable", "the object store does not answer at the moment")


def _no_asset() -> Refused:
    return Refused("not_found", "there is no such asset, or no longer; its object may have been deleted")


def _no_namespace() -> Refused:
    return Refused("not_found", "this host works for no namespace")
