"""Secrets over HTTP and by the command: values go in and never come out, whatever goes wrong on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from factories.answers import refusal
from factories.commands import Command
from factories.platform import unique
from factories.servers import API_KEY, MakeServer, Server
from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database
from mixpeek.secrets.crypto import new_key
from mixpeek.secrets.errors import SecretNotGranted, SecretsKeyWrong
from mixpeek.secrets.keys import FILE_NAME, key_source
from mixpeek.secrets.service import Vault

PATH = "/organizations/secrets"
# What no answer, no line of a log and no file may hold; long and odd enough to be nothing else.
PLAIN = "plain-0f3a-words"
METADATA = {"success", "secret_name", "namespaces", "created_at", "updated_at", "value_set_at"}


@pytest.fixture
def name(http: httpx.Client) -> Iterator[str]:
    """A name whose secret is gone after the test."""
    free = unique("secret")
    yield free
    http.delete(f"{PATH}/{free}")


def keep(http: httpx.Client, name: str, **fields: Any) -> dict[str, Any]:
    answer = http.post(PATH, json={"secret_name": name, "secret_value": PLAIN, **fields})
    assert answer.status_code == 201, answer.text
    kept: dict[str, Any] = answer.json()
    return kept


def test_a_secret_is_kept_listed_changed_and_deleted_and_its_value_never_told(http: httpx.Client, name: str) -> None:
    made = keep(http, name)
    listed = http.get(PATH).raise_for_status().json()
    found = http.get(f"{PATH}/{name}").raise_for_status().json()
    changed = http.put(f"{PATH}/{name}", json={"secret_value": f"{PLAIN}-again"}).raise_for_status().json()
    deleted = http.delete(f"{PATH}/{name}").raise_for_status().json()

    assert set(made) == METADATA | {"created", "updated", "deleted"}
    assert (made["secret_name"], made["namespaces"], made["created"]) == (name, None, True)
    assert set(listed) == {"secrets", "count"}
    assert name in listed["secrets"]
    assert listed["secrets"] == sorted(listed["secrets"])
    assert listed["count"] == len(listed["secrets"])
    assert set(found) == METADATA
    assert changed["value_set_at"] > made["value_set_at"]
    assert (changed["updated"], deleted["deleted"]) == (True, True)
    refusal(http.get(f"{PATH}/{name}"), 404, "NotFoundError")
    assert PLAIN not in str([made, listed, found, changed, deleted])


def test_grants_are_named_on_creation_and_changed_later(http: httpx.Client, client: Mixpeek, name: str) -> None:
    one = f"{PATH}/{name}/namespaces/{client.namespace}"

    steps = [
        keep(http, name, namespaces=[client.namespace]),
        http.delete(one).raise_for_status().json(),
        http.put(one).raise_for_status().json(),
        http.put(f"{PATH}/{name}", json={"namespaces": []}).raise_for_status().json(),
        http.put(f"{PATH}/{name}", json={"namespaces": None}).raise_for_status().json(),
    ]

    granted = [client.namespace]
    assert [step["namespaces"] for step in steps] == [granted, [], granted, [], None]
    assert steps[-1]["value_set_at"] == steps[0]["value_set_at"]
    refusal(http.delete(one), 409, "ConflictError")
    refusal(http.put(f"{PATH}/{name}/namespaces/nowhere"), 404, "NotFoundError")


def test_a_key_of_one_namespace_sees_the_names_granted_to_it_and_manages_none(
    http: httpx.Client, server: Server, client: Mixpeek, name: str
) -> None:
    body = {"name": unique("key"), "permissions": ["admin"], "namespaces": [client.namespace]}
    key = http.post("/organizations/api-keys", json=body).raise_for_status().json()
    scoped = {"Authorization": f"Bearer {key['key']}"}

    keep(http, name, namespaces=[])
    before = http.get(PATH, headers=scoped).raise_for_status().json()["secrets"]
    http.put(f"{PATH}/{name}/namespaces/{client.namespace}").raise_for_status()
    after = http.get(PATH, headers=scoped).raise_for_status().json()["secrets"]

    assert name not in before
    assert name in after
    refusal(http.get(f"{PATH}/{name}", headers=scoped), 403, "ForbiddenError")
    refusal(http.post(PATH, headers=scoped, json={}), 403, "ForbiddenError")
    http.delete(f"/organizations/api-keys/{key['key_id']}").raise_for_status()


def test_a_name_in_use_and_a_name_nobody_uses_say_so(http: httpx.Client, name: str) -> None:
    keep(http, name)

    again = http.post(PATH, json={"secret_name": name, "secret_value": PLAIN})
    absent = http.put(f"{PATH}/{unique('absent')}", json={"secret_value": PLAIN})
    nowhere = http.post(PATH, json={"secret_name": unique("s"), "secret_value": PLAIN, "namespaces": ["nowhere"]})

    refusal(again, 409, "AlreadyExistsError")
    refusal(absent, 404, "NotFoundError")
    refusal(nowhere, 404, "NotFoundError")
    assert PLAIN not in again.text + absent.text + nowhere.text


@pytest.mark.parametrize(
    "body",
    [
        {"secret_name": "fine", "secret_valu": PLAIN},
        {"secret_name": "fine", "secret_value": [PLAIN]},
        {"secret_name": "fine", "secret_value": {"value": PLAIN}},
        {"secret_name": "fine", "secret_value": f"{PLAIN}\ud800"},
        {"secret_name": "fine", "secret_value": PLAIN * 5000},
        {"secret_name": "fine", "secret_value": PLAIN + "é" * 40_000},
        {"secret_name": "fine", "secret_value": ""},
        {"secret_name": "", "secret_value": PLAIN},
        {"secret_name": "x" * 101, "secret_value": PLAIN},
        {"secret_name": "has space", "secret_value": PLAIN},
        {"secret_name": "line\n", "secret_value": PLAIN},
        {"secret_name": "1st", "secret_value": PLAIN},
        {"secret_name": "../up", "secret_value": PLAIN},
        {"secret_name": "fine", "secret_value": PLAIN, "namespaces": "all"},
        [PLAIN],
        PLAIN,
    ],
)
def test_a_body_that_makes_no_sense_is_refused_without_telling_the_value(http: httpx.Client, body: Any) -> None:
    # As ASCII, for half a surrogate pair has no other form.
    refused = http.post(PATH, content=json.dumps(body), headers={"Content-Type": "application/json"})

    refusal(refused, 422, "ValidationError")
    assert PLAIN not in refused.text
    assert "d800" not in refused.text


def test_a_misspelt_key_is_refused_with_the_one_it_stands_for(http: httpx.Client) -> None:
    refused = http.post(PATH, json={"secret_name": "fine", "secret_value": PLAIN, "namespace": []})

    assert "did you mean `namespaces`?" in refusal(refused, 422, "ValidationError")["message"]


@pytest.mark.parametrize("content", [f'{{"secret_value": "{PLAIN}', f'{{"secret_value": "{PLAIN}"}} more', PLAIN])
def test_a_body_that_is_no_json_is_refused_without_telling_it(http: httpx.Client, content: str) -> None:
    refused = http.post(PATH, content=content, headers={"Content-Type": "application/json"})

    refusal(refused, 422, "ValidationError")
    assert PLAIN not in refused.text


def test_an_update_that_changes_nothing_is_refused(http: httpx.Client, name: str) -> None:
    keep(http, name)

    refusal(http.put(f"{PATH}/{name}", json={}), 422, "ValidationError")


def test_the_largest_value_is_kept(http: httpx.Client, name: str) -> None:
    assert keep(http, name, secret_value="é" * 32_768)["created"]


def test_the_command_keeps_a_secret_from_a_file_and_rotates_the_key(
    mix: Command, client: Mixpeek, tmp_path: Path, name: str
) -> None:
    (tmp_path / "value").write_text(f"{PLAIN}\n")

    ran = [
        mix("secret", "create", name, "--from-file", "value", "--namespace", client.namespace or ""),
        mix("secret", "show", name, "--json"),
        mix("secret", "update", name, "--from-env", "MIXPEEK_TEST_VALUE", MIXPEEK_TEST_VALUE=f"{PLAIN}-again"),
        mix("secret", "revoke", name, client.namespace or ""),
        mix("secret", "rotate-key"),
        mix("secret", "list"),
        mix("secret", "delete", name),
    ]

    assert [each.code for each in ran] == [0] * 7, [each.err for each in ran]
    assert ran[1].json["namespaces"] == [client.namespace]
    assert "no namespace" in ran[3].out
    assert "A new key encrypts" in ran[4].out
    assert name in ran[5].out
    assert PLAIN not in str(ran)


def test_nothing_a_server_writes_or_answers_holds_a_value_also_when_keys_change_or_are_wrong(
    make_server: MakeServer, tmp_path: Path
) -> None:
    said: list[str] = []
    data_dir = tmp_path / "data"

    def ask(server: Server, method: str, path: str = PATH, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        answer = httpx.request(method, f"{server.url}/v1{path}", headers=headers, json=body or None, timeout=30)
        said.append(answer.text + str(answer.headers))
        return answer

    def reveal(setting: str | None, namespace: str, name: str) -> str:
        vault = Vault(key_source(None if setting is None else SecretStr(setting), data_dir))
        database = Database(EmbeddedPostgres(data_dir.resolve()).url, max_connections=1)
        database.open()
        try:
            with database.transaction() as connection:
                return vault.reveal(connection, namespace, name)
        finally:
            database.close()

    def faults(server: Server) -> list[str]:
        found: list[str] = ask(server, "GET", "/health").json()["errors"]
        return [fault for fault in found if "secrets" in fault]

    # With a key of the server's own: kept, changed, refused, rotated; and the key away for a while.
    own = make_server(data_dir, log_level="debug").start()
    namespace = ask(own, "POST", "/namespaces", namespace_name="reading").json()["namespace_id"]
    assert ask(own, "POST", secret_name="weather", secret_value=f"{PLAIN}-1").status_code == 201
    assert ask(own, "POST", secret_name="stripe", secret_value=f"{PLAIN}-2", namespaces=[]).status_code == 201
    assert ask(own, "POST", secret_name="weather", secret_value=f"{PLAIN}-3").status_code == 409
    assert ask(own, "POST", secret_name="weather", secret_value=[f"{PLAIN}-4"]).status_code == 422
    assert ask(own, "PUT", f"{PATH}/weather", secret_value=f"{PLAIN}-5").status_code == 200
    first = (data_dir / FILE_NAME).read_text()
    assert ask(own, "POST", f"{PATH}/rotate-key").json()["reencrypted"] == 2
    assert (data_dir / FILE_NAME).read_text() != first
    assert (data_dir / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert reveal(None, namespace, "weather") == f"{PLAIN}-5"
    with pytest.raises(SecretNotGranted):
        reveal(None, namespace, "stripe")
    aside = (data_dir / FILE_NAME).rename(tmp_path / "aside")
    refused = refusal(ask(own, "POST", secret_name="a", secret_value=f"{PLAIN}-6"), 500, "InternalServerError")
    assert refused["code"] == "secrets.key_missing"
    assert len(faults(own)) == 1
    assert not (data_dir / FILE_NAME).exists()
    aside.rename(data_dir / FILE_NAME)
    assert faults(own) == []
    assert own.stop() == 0

    # With a wrong key it starts, says so, and keeps what is stored.
    kept, given = (data_dir / FILE_NAME).read_text().strip(), new_key()
    wrong = make_server(data_dir, secrets_key=given).start()
    assert "2 secrets cannot be read" in wrong.log.read_text()
    assert len(faults(wrong)) == 1
    refused = refusal(ask(wrong, "POST", f"{PATH}/rotate-key"), 500, "InternalServerError")
    assert refused["code"] == "secrets.key_wrong"
    with pytest.raises(SecretsKeyWrong):
        reveal(given, namespace, "weather")
    assert wrong.stop() == 0

    # With both, the first takes over, and the old one may go.
    both = make_server(data_dir, secrets_key=f"{given},{kept}").start()
    assert faults(both) == []
    rotated = ask(both, "POST", f"{PATH}/rotate-key").json()
    assert (rotated["reencrypted"], rotated["is_new_key"]) == (2, False)
    assert "may now be removed" in rotated["message"]
    assert reveal(given, namespace, "weather") == f"{PLAIN}-5"
    ask(both, "GET", "/organizations/audit/logs?limit=1000")
    assert both.stop() == 0

    holding = [
        path
        for path in [both.log, *data_dir.rglob("*")]
        if path.is_file() and any(text.encode() in path.read_bytes() for text in (PLAIN, given))
    ]
    assert not holding
    assert not [text for text in said if PLAIN in text or given in text or kept in text]
