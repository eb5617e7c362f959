"""A server's broker on a real database and object store: a namespace gets its own assets and granted secrets only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from mixpeek.broker.platform import PlatformBroker
from mixpeek.contract.asking import Refused
from mixpeek.db.pool import Database
from mixpeek.execution.asks.port import Generation, GenerationRequest
from mixpeek.objects.assets import asset_key, asset_url
from mixpeek.objects.store import ObjectStore
from mixpeek.secrets import service
from mixpeek.secrets.keys import KeyFile
from mixpeek.secrets.service import Vault
from mixpeek.tenancy.service import bootstrap, create_namespace

CONTENT = bytes(range(256)) * 16
SHA256 = "a" * 64
FIELDS = {
    "namespace_type": "standard",
    "description": None,
    "feature_extractors": [],
    "payload_indexes": [],
    "auto_create_indexes": False,
}


class EchoModel:
    """Tells the key it was called with."""

    async def generate(self, request: GenerationRequest, key: str | None) -> Generation:
        return Generation(f"{request.prompt} {key}", "tiny", {})


@pytest.fixture(scope="module")
def namespaces(database: Database) -> Iterator[tuple[str, str]]:
    """Two namespaces of one organization; a secret `KEY` is granted to the first, `ALL` to both."""
    with database.transaction() as connection:
        organization_id = bootstrap(connection, "sk_test_of_the_broker")
        made = [
            create_namespace(connection, organization_id, {**FIELDS, "namespace_name": f"asks_{n}"}).namespace_id
            for n in range(2)
        ]
    yield made[0], made[1]
    with database.transaction() as connection:
        connection.execute("DELETE FROM secrets")


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return ObjectStore(None, tmp_path / "objects")


@pytest.fixture
def vault(database: Database, namespaces: tuple[str, str], tmp_path: Path) -> Iterator[Vault]:
    made = Vault(KeyFile(tmp_path / "secrets.key"))
    with database.transaction() as connection:
        organization_id = bootstrap(connection, "sk_test_of_the_broker")
        made.create(connection, organization_id, "KEY", SecretStr("sesame-open"), [namespaces[0]])
        made.create(connection, organization_id, "ALL", SecretStr("for everybody"), None)
    yield made
    with database.transaction() as connection:
        connection.execute("DELETE FROM secrets")


@pytest.fixture
def broker(database: Database, objects: ObjectStore, vault: Vault) -> PlatformBroker:
    return PlatformBroker(database, objects, vault, EchoModel(), "KEY")


def stored(objects: ObjectStore, namespace_id: str, name: str = "a.bin") -> str:
    key = asset_key(namespace_id, SHA256, name)
    objects.put(key, [CONTENT], limit_bytes=len(CONTENT))
    return asset_url(key)


def refusal(call: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        asyncio.run(call)
    return refused.value


def test_an_asset_of_the_namespace_is_read_by_pieces(
    broker: PlatformBroker, objects: ObjectStore, namespaces: tuple[str, str]
) -> None:
    own = namespaces[0]
    url = stored(objects, own)

    assert asyncio.run(broker.asset_size(own, url)) == len(CONTENT)
    assert asyncio.run(broker.read_asset(own, url, 100, 50)) == CONTENT[100:150]
    assert asyncio.run(broker.read_asset(own, url, len(CONTENT) - 10, 50)) == CONTENT[-10:]


def test_an_asset_of_another_namespace_reads_like_one_that_does_not_exist(
    broker: PlatformBroker, objects: ObjectStore, namespaces: tuple[str, str]
) -> None:
    own, other = namespaces
    there, nowhere = stored(objects, other), asset_url(asset_key(other, "b" * 64, "a.bin"))

    refusals = [refusal(broker.asset_size(own, there)), refusal(broker.read_asset(own, there, 0, 1))]
    refusals.append(refusal(broker.asset_size(own, nowhere)))

    assert {(each.code, each.reason) for each in refusals} == {
        ("not_found", f"it is no asset of {own}, the namespace that this plugin works for")
    }


@pytest.mark.parametrize(
    "spell",
    [
        "s3://mixpeek/namespaces/{own}/assets/../../{other}/assets/{sha}/a.bin",
        "s3://mixpeek/namespaces/{own}/assets/{sha}/../../../{other}/assets/{sha}/a.bin",
        "s3://mixpeek/namespaces/{own}/assets/{sha}/%2e%2e/a.bin",
        "s3://mixpeek/namespaces/{own}/assets/{sha}/../../../../secrets.key",
        "s3://mixpeek/namespaces/{own}/assets/{sha}/a.bin/../a.bin",
        "s3://mixpeek/namespaces/{own}/assets/{sha}//a.bin",
        "s3://mixpeek/namespaces/{own}/assets/{sha}/a.bin?versionId=1",
        "s3://mixpeek//namespaces/{own}/assets/{sha}/a.bin",
        "s3://other/namespaces/{own}/assets/{sha}/a.bin",
        "S3://mixpeek/namespaces/{own}/assets/{sha}/a.bin",
        "s3://mixpeek/archives/{sha}",
        "file:///etc/passwd",
        "/etc/passwd",
    ],
)
def test_no_spelling_of_an_address_leads_elsewhere(
    broker: PlatformBroker, objects: ObjectStore, namespaces: tuple[str, str], spell: str
) -> None:
    own, other = namespaces
    stored(objects, own)
    stored(objects, other)
    url = spell.format(own=own, other=other, sha=SHA256)

    assert refusal(broker.read_asset(own, url, 0, 1)).code in {"invalid", "not_found"}


def test_an_asset_that_vanishes_between_two_pieces_is_named_so(
    broker: PlatformBroker, objects: ObjectStore, namespaces: tuple[str, str]
) -> None:
    own = namespaces[0]
    url = stored(objects, own, "gone.bin")
    asyncio.run(broker.read_asset(own, url, 0, 10))
    objects.delete(asset_key(own, SHA256, "gone.bin"))

    gone = refusal(broker.read_asset(own, url, 10, 10))

    assert (gone.code, "no longer" in gone.reason) == ("not_found", True)


def test_a_store_that_is_away_is_told_without_its_words(
    database: Database, vault: Vault, namespaces: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "objects").write_text("a file where the store should be")
    away = ObjectStore.__new__(ObjectStore)
    away._store = _BrokenStore()

    refused = refusal(PlatformBroker(database, away, vault).asset_size(
        namespaces[0], asset_url(asset_key(namespaces[0], SHA256, "a.bin"))
    ))  # fmt: skip

    assert (refused.code, refused.reason) == ("unavailable", "the object store does not answer at the moment")


class _BrokenStore:
    """No store at all: whatever is asked of it fails in a way of its own."""


def test_granted_secrets_are_read_and_listed_and_a_grant_that_is_taken_away_ends_at_once(
    database: Database, broker: PlatformBroker, namespaces: tuple[str, str]
) -> None:
    own, other = namespaces

    assert asyncio.run(broker.list_secrets(own)) == ["ALL", "KEY"]
    assert asyncio.run(broker.secret(own, "KEY")) == "sesame-open"
    assert asyncio.run(broker.list_secrets(other)) == ["ALL"]
    with database.transaction() as connection:
        service.revoke(connection, bootstrap(connection, "sk_test_of_the_broker"), "KEY", own)

    assert refusal(broker.secret(own, "KEY")).code == "not_granted"


def test_a_secret_that_is_not_granted_says_who_grants_it_and_how(
    broker: PlatformBroker, namespaces: tuple[str, str]
) -> None:
    refused, absent = refusal(broker.secret(namespaces[1], "KEY")), refusal(broker.secret(namespaces[1], "NONE"))

    assert refused.code == "not_granted"
    assert f"`mixpeek secret grant KEY {namespaces[1]}`" in refused.reason
    assert (absent.code, "mixpeek secret create NONE" in absent.reason) == ("not_found", True)


def test_a_language_model_is_called_with_the_key_of_the_namespace_or_not_at_all(
    broker: PlatformBroker, namespaces: tuple[str, str]
) -> None:
    own, other = namespaces

    assert asyncio.run(broker.generate(own, GenerationRequest("Hello"))).text == "Hello sesame-open"
    refused = refusal(broker.generate(other, GenerationRequest("Hello")))
    assert refused.code == "not_granted"
    assert "MIXPEEK_LLM_SECRET" in refused.reason


def test_without_a_language_model_the_settings_that_make_one_are_named(
    database: Database, objects: ObjectStore, vault: Vault, namespaces: tuple[str, str]
) -> None:
    refused = refusal(PlatformBroker(database, objects, vault).generate(namespaces[0], GenerationRequest("Hello")))

    assert refused.code == "not_configured"
    assert "MIXPEEK_LLM_URL" in refused.reason


@pytest.mark.parametrize("ask", ["asset_size", "secret", "list_secrets"])
def test_a_host_that_works_for_no_namespace_gets_nothing(
    broker: PlatformBroker, namespaces: tuple[str, str], ask: str
) -> None:
    arguments = {"asset_size": [asset_url(asset_key(namespaces[0], SHA256, "a.bin"))], "secret": ["ALL"]}

    assert refusal(getattr(broker, ask)(None, *arguments.get(ask, []))).code == "not_found"
