"""Where a client gets its settings from."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mixpeek
from factories.local_server import LocalServer
from mixpeek import Mixpeek


@pytest.mark.parametrize(
    "given", ["http://host:1", "http://host:1/", "http://host:1/v1", "http://host:1/v1/", " host:1 "]
)
def test_an_address_means_the_same_with_and_without_v1(given: str) -> None:
    with Mixpeek(base_url=given) as client:
        assert client.base_url == "http://host:1"


def test_without_settings_the_server_is_this_machine() -> None:
    with Mixpeek() as client:
        assert (client.base_url, client.namespace) == ("http://127.0.0.1:8000", None)


def test_an_argument_beats_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXPEEK_BASE_URL", "http://variable")
    monkeypatch.setenv("MIXPEEK_NAMESPACE", "ns_variable")

    with Mixpeek(base_url="http://argument", namespace="ns_argument") as given, Mixpeek() as found:
        assert (given.base_url, given.namespace) == ("http://argument", "ns_argument")
        assert (found.base_url, found.namespace) == ("http://variable", "ns_variable")


def test_the_second_name_of_the_address_counts_where_the_first_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXPEEK_API_URL", "http://second/v1")

    with Mixpeek() as client:
        assert client.base_url == "http://second"


def test_the_key_of_the_environment_is_sent(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXPEEK_API_KEY", "sk_variable")
    server.on("GET /v1/tasks/task_1", {"task_id": "task_1"})

    with Mixpeek(base_url=server.url) as client:
        client.tasks.get("task_1")

    assert server.asked[0].headers["authorization"] == "Bearer sk_variable"


def test_the_public_names_of_the_package_are_these() -> None:
    assert sorted(mixpeek.__all__) == ["AsyncMixpeek", "Mixpeek", "__version__"]
    assert mixpeek.__version__
    with pytest.raises(AttributeError, match="nonsense"):
        _ = mixpeek.nonsense  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", ["mixpeek", "mixpeek.cli.app"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    heavy = "{'pandas', 'numpy', 'pyarrow', 'httpx', 'rich', 'pydantic'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"


def test_other_certificates_are_read_once_the_environment_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    Mixpeek(base_url="https://one.example").close()
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")

    with pytest.raises(FileNotFoundError):
        Mixpeek(base_url="https://one.example")
