"""What every request carries, and what becomes of its answer."""

from __future__ import annotations

import socket

import pytest

from factories.local_server import Answer, LocalServer, refusal
from mixpeek import Mixpeek
from mixpeek.client import ApiError, Response, ServerUnreachable


def test_a_request_carries_the_key_and_the_namespace(server: LocalServer, client: Mixpeek) -> None:
    server.on("GET /v1/collections/col_1", {"collection_id": "col_1"})

    client.collections.get("col_1")

    headers = server.asked[0].headers
    assert (headers["authorization"], headers["x-namespace"]) == ("Bearer sk_test", "ns_1")


def test_an_answer_can_be_read_by_key_and_by_attribute_at_every_depth(server: LocalServer, client: Mixpeek) -> None:
    server.on("GET /v1/tasks/task_1", {"status": "COMPLETED", "outputs": [{"rows": 3}]})

    task = client.tasks.get("task_1")

    assert task.status == task["status"] == "COMPLETED"
    assert task.outputs[0].rows == 3
    with pytest.raises(AttributeError, match="no 'error'; it has status, outputs"):
        _ = task.error


def test_a_refusal_keeps_everything_the_server_said(server: LocalServer, client: Mixpeek) -> None:
    answer = refusal(409, "AlreadyExistsError", "It exists", hint="Take another", details={"resource": "bucket"})
    server.on("POST /v1/buckets", Answer(answer.body, 409, {"X-Request-Id": "req_7"}))

    with pytest.raises(ApiError) as caught:
        client.buckets.create("b", {"properties": {}})

    error = caught.value
    assert (error.status, error.type, error.message, error.hint) == (
        409,
        "AlreadyExistsError",
        "It exists",
        "Take another",
    )
    assert (error.details, error.request_id) == ({"resource": "bucket"}, "req_7")
    assert error.wire()["status"] == 409


def test_a_refusal_without_a_hint_gets_one_where_the_next_step_is_known(server: LocalServer, client: Mixpeek) -> None:
    server.on("GET /v1/tasks/x", refusal(401, "UnauthorizedError", "No"))

    with pytest.raises(ApiError) as caught:
        client.tasks.get("x")

    assert "MIXPEEK_API_KEY" in (caught.value.hint or "")


@pytest.mark.parametrize("body", [b"<html>gateway</html>", b"[]", b'"text"', b""])
def test_an_answer_of_another_program_is_an_error_that_says_so(
    server: LocalServer, client: Mixpeek, body: bytes
) -> None:
    server.on("GET /v1/tasks/x", Answer(body))

    with pytest.raises(ApiError, match="did not answer with a JSON object"):
        client.tasks.get("x")


def test_an_error_page_of_another_program_keeps_its_status(server: LocalServer, client: Mixpeek) -> None:
    server.on("GET /v1/tasks/x", Answer(b"<html>", 502))

    with pytest.raises(ApiError, match="answered 502"):
        client.tasks.get("x")


def test_an_answer_without_content_is_empty(server: LocalServer, client: Mixpeek) -> None:
    server.on("DELETE /v1/namespaces/ns_1", Answer(b"", 204))

    assert client.namespaces.delete("ns_1") == Response()


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    with Mixpeek(base_url=url) as client, pytest.raises(ServerUnreachable, match=url) as caught:
        client.tasks.get("x")

    assert "mixpeek serve" in (caught.value.hint or "")


def test_a_name_in_a_path_cannot_leave_its_place(server: LocalServer, client: Mixpeek) -> None:
    server.on("GET /v1/collections/a%2F..%2Fb%20c", {"collection_id": "col_1"})

    assert client.collections.get("a/../b c").collection_id == "col_1"
    with pytest.raises(ValueError, match="not an id"):
        client.collections.get("..")
