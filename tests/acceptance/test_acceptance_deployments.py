"""Deploying over a running version: a failed rollout changes nothing, a good one switches without a failed request."""

from __future__ import annotations

import threading
from typing import Any

from factories.platform import deployed, publish
from factories.plugins import MakePlugin
from mixpeek import Mixpeek

ANSWER_V1 = "return {'embedding': embed(request['text']).tolist(), 'answered_by': 'v1'}"
ANSWER_V2 = "return {'embedding': embed(request['text']).tolist(), 'answered_by': 'v2'}"


def answered_by(client: Mixpeek, plugin_id: str) -> Any:
    answer = client.plugins.realtime_test(plugin_id, {"text": "hello"})
    assert answer.status == "success", answer
    return answer["raw_response"]["answered_by"]


def assert_v1_still_answers(client: Mixpeek) -> None:
    status = client.plugins.status("words_1_0_0")
    assert (status.status, status.deployed, status.realtime_enabled) == ("DEPLOYED", True, True)
    assert client.plugins.get("words_1_0_0").plugin.active is True
    assert answered_by(client, "words_1_0_0") == "v1"


def test_a_redeploy_with_a_wrong_dimension_fails_and_the_old_version_answers_on(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("words", predict=ANSWER_V1), deploy=True)
    short = make_plugin("words", into="v2", version="1.1.0", predict="return {'embedding': [1.0, 2.0]}")

    status = deployed(client, publish(client, short, version="1.1.0"))

    assert status.status == "FAILED"
    assert "has 2 numbers, its manifest says 8" in status.error
    assert status.deployed is False
    assert "still answers" in status.message
    assert_v1_still_answers(client)


def test_a_redeploy_whose_handler_cannot_be_made_fails_with_the_plugins_traceback(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("words", predict=ANSWER_V1), deploy=True)
    broken = make_plugin("words", into="v2", version="1.1.0", construct="raise RuntimeError('no weights here')")

    status = deployed(client, publish(client, broken, version="1.1.0"))

    assert status.status == "FAILED"
    assert "RuntimeError: no weights here" in status.error
    assert "realtime.py:6 in __init__" in status.error
    assert_v1_still_answers(client)


def test_a_redeploy_whose_handler_ends_its_process_fails_and_the_old_version_answers_on(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("words", predict=ANSWER_V1), deploy=True)
    crashing = make_plugin("words", into="v2", version="1.1.0", construct="import os; os._exit(7)")

    status = deployed(client, publish(client, crashing, version="1.1.0"))

    assert status.status == "FAILED"
    assert status.error
    assert_v1_still_answers(client)


def test_a_good_redeploy_takes_over_without_one_failed_request(client: Mixpeek, make_plugin: MakePlugin) -> None:
    publish(client, make_plugin("words", predict=ANSWER_V1), deploy=True)
    newer = make_plugin("words", into="v2", version="1.1.0", predict=ANSWER_V2)
    publish(client, newer, version="1.1.0")
    seen: list[Any] = []
    done = threading.Event()

    def ask_on() -> None:
        with Mixpeek(api_key="sk_test_acceptance", base_url=client.base_url, namespace=client.namespace) as other:
            while not done.is_set():
                seen.append(other.plugins.realtime_test("words_1_0_0", {"text": "hello"})["status"])

    asking = threading.Thread(target=ask_on)
    asking.start()
    status = deployed(client, "words_1_1_0")
    done.set()
    asking.join(30)

    assert status.status == "DEPLOYED", status.error
    assert len(seen) > 3
    assert set(seen) == {"success"}
    assert answered_by(client, "words_1_1_0") == "v2"
    assert client.plugins.get("words_1_1_0").plugin.active is True
    superseded = client.plugins.status("words_1_0_0")
    assert (superseded.status, superseded.deployed) == ("NOT_DEPLOYED", False)


def test_a_plugin_without_a_handler_answers_through_its_pipeline(client: Mixpeek, make_plugin: MakePlugin) -> None:
    status = deployed(client, publish(client, make_plugin("words", realtime=False)))

    answer = client.plugins.realtime_test("words_1_0_0", {"text": "hello"})

    assert (status.status, status.realtime_source) == ("DEPLOYED", "pipeline")
    assert len(answer["raw_response"]["words_vector"]) == 8


def test_whatever_a_handler_does_realtime_test_answers_200_with_the_cause(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    predict = """
        if request["text"] == "raise":
            raise ValueError("not this text")
        if request["text"] == "nan":
            return {"embedding": [float("nan")] * 8}
        if request["text"] == "exit":
            import os
            os._exit(5)
        return {"embedding": embed(request["text"]).tolist()}
    """
    publish(client, make_plugin("words", predict=predict), deploy=True)

    answers = {text: client.plugins.realtime_test("words_1_0_0", {"text": text}) for text in ("raise", "nan", "exit")}
    after = client.plugins.realtime_test("words_1_0_0", {"text": "hello"})

    assert {answer.status for answer in answers.values()} == {"error"}
    assert "ValueError: not this text" in answers["raise"]["error"]
    assert "realtime.py" in answers["raise"]["error"]
    assert "JSON" in answers["nan"]["error"]
    assert answers["exit"]["error"]
    assert after.status == "success", "a handler that died is replaced"


def test_undeploying_ends_the_endpoint_and_keeps_the_version(client: Mixpeek, make_plugin: MakePlugin) -> None:
    publish(client, make_plugin("words"), deploy=True)

    client.plugins.undeploy("words_1_0_0")
    status = client.plugins.status("words_1_0_0")
    again = deployed(client, "words_1_0_0")

    assert (status.status, status.deployed, status.route_prefix) == ("NOT_DEPLOYED", False, None)
    assert again.status == "DEPLOYED"
