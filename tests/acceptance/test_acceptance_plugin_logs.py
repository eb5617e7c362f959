"""What a plugin prints and logs, found afterwards and while it happens, by the command and over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import httpx
import pytest

from factories.commands import Command
from factories.platform import bucket_with, collection_of, deployed, publish, run_batch
from factories.plugins import MakePlugin
from factories.servers import API_KEY, MIXPEEK, Server, surroundings
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.client.errors import ApiError

PREDICT = r"""
import logging, os
text = request["text"]
if text == "log":
    try:
        {}["missing"]
    except KeyError:
        logging.getLogger("words").warning("no %s\x1b[31m", "luck", exc_info=True)
if text == "raise":
    raise ValueError("not this one")
if text == "crash":
    print("last words")
    os.kill(os.getpid(), 11)
return {"embedding": embed(text, 8).tolist()}
"""


def lines_of(client: Mixpeek, plugin_id: str, **wanted: Any) -> list[Any]:
    found: list[Any] = client.plugins.logs(plugin_id, **wanted)["results"]
    return found


def said(client: Mixpeek, plugin_id: str, message: str, **wanted: Any) -> Any:
    """The first kept line whose message begins so."""

    def find() -> Any:
        found = [line for line in lines_of(client, plugin_id, **wanted) if line["message"].startswith(message)]
        return found[0] if found else None

    return until(find, what=f"the log of {plugin_id} says {message!r}", within_s=10)


@pytest.fixture
def chatty(client: Mixpeek, make_plugin: MakePlugin) -> str:
    """A deployed plugin that prints while it is made, and logs, raises or crashes as it is told."""
    folder = make_plugin(
        construct="print('made')",
        predict=PREDICT,
        batch="print('batch of', len(batch))\nbatch[FEATURE] = column_of(batch['data'])",
    )
    return publish(client, folder, deploy=True)


def is_known(client: Mixpeek, plugin_id: str) -> bool:
    try:
        client.plugins.logs(plugin_id)
    except ApiError as error:
        assert error.status == 404
        return False
    return True


def test_what_a_plugin_says_is_found_afterwards_by_what_its_host_was_for(
    client: Mixpeek, chatty: str, mix: Command
) -> None:
    for text in ("log", "raise", "crash"):
        client.plugins.realtime_test(chatty, {"text": text})
    task = run_batch(client, collection_of(client, bucket_with(client, ["a b", "c"]), "small_words"))
    assert task.status == "COMPLETED", task

    made = said(client, chatty, "made", source="realtime")
    tried = said(client, chatty, "made", source="gate")
    logged = said(client, chatty, "no luck", level="warning")
    raised = said(client, chatty, "predict failed", level="error")
    died = said(client, chatty, "The plugin's host was killed by SIGSEGV", level="error")
    last = said(client, chatty, "last words")
    in_batch = said(client, chatty, "batch of 2", source="batch")

    assert made.deployment_id
    assert made.deployment_id == tried.deployment_id == logged.deployment_id == died.deployment_id
    assert made.stream == "output" and died.stream == "platform"
    assert (logged.logger, logged.level, logged.stream) == ("words", "warning", "logging")
    assert logged.message == "no luck\x1b[31m" and logged.exception.endswith("KeyError: 'missing'")
    assert 'realtime.py", line ' in raised.exception and raised.exception.endswith("ValueError: not this one")
    assert "mixpeek/host" not in raised.exception
    assert made.host_id == last.host_id == died.host_id != tried.host_id
    assert in_batch.batch_id and in_batch.deployment_id is None
    assert [line.id for line in (made, logged, raised, last, died)] == sorted(
        line.id for line in (made, logged, raised, last, died)
    )
    assert lines_of(client, chatty, deployment_id="dep_of_nobody") == []

    # The call that crashed its host was made once more, in a second one; the third speaks whenever it is up.
    until(
        lambda: len({line["host_id"] for line in lines_of(client, chatty, source="realtime")}) == 3,
        what="the third host is heard",
    )
    every = lines_of(client, chatty, limit=1000)
    pages, cursor = [], None
    while True:
        page = client.plugins.logs(chatty, limit=2, cursor=cursor)
        pages.insert(0, page["results"])
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            break
    assert [line for page in pages for line in page] == every

    shown = mix("plugin", "logs", chatty, "--level", "warning", "--since", "1h")
    assert shown.code == 0, shown.err
    assert "words: no luck\\x1b[31m" in shown.out and "\x1b" not in shown.out
    assert "    KeyError: 'missing'" in shown.out and "made" not in shown.out
    assert [line["message"] for line in mix("plugin", "logs", chatty, "-n", "3", "--json").json["lines"]] == [
        line["message"] for line in every[-3:]
    ]


def test_a_log_is_followed_by_the_command_and_taken_up_where_it_was_left(
    server: Server, client: Mixpeek, chatty: str
) -> None:
    first = said(client, chatty, "made", source="realtime")
    variables = {
        "MIXPEEK_API_KEY": API_KEY,
        "MIXPEEK_BASE_URL": server.url,
        "MIXPEEK_NAMESPACE": client.namespace or "",
    }
    following = [MIXPEEK, "plugin", "logs", chatty, "-f", "--json", "--source", "realtime"]
    with subprocess.Popen(following, env=surroundings(**variables), stdout=subprocess.PIPE, text=True) as command:
        try:
            assert command.stdout is not None
            assert json.loads(command.stdout.readline())["id"] == first.id
            client.plugins.realtime_test(chatty, {"text": "log"})
            seen = json.loads(command.stdout.readline())
            command.send_signal(signal.SIGINT)
            assert command.wait(10) == 130
        finally:
            command.kill()
    assert seen["message"].startswith("no luck")

    headers = {"Authorization": f"Bearer {API_KEY}", "Last-Event-ID": str(first.id)}
    url = f"{server.url}/v1/namespaces/{client.namespace}/plugins/{chatty}/logs"
    with httpx.stream("GET", url, params={"follow": True, "source": "realtime"}, headers=headers, timeout=10) as stream:
        sent = (line for line in stream.iter_lines() if line.startswith(("id:", "event:")))
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert next(sent) == f"id: {seen['id']}"
        client.plugins.delete(chatty, force=True)
        assert next(sent) == "event: end"
    with pytest.raises(ApiError) as gone:
        client.plugins.logs(chatty)
    assert gone.value.status == 404


def test_what_a_failed_deployment_and_a_refused_upload_printed_is_kept(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    failing = publish(client, make_plugin("fails", construct="print('almost')\nraise RuntimeError('no model')"))
    status = deployed(client, failing)
    refused = make_plugin("refused", files={"manifest.py": "print('reading')\nraise SystemExit(3)"})
    with pytest.raises(ApiError):
        publish(client, refused)

    assert status.status == "FAILED"
    printed = said(client, failing, "almost", source="gate")
    told = said(client, failing, "warmup failed", deployment_id=printed.deployment_id, level="error")
    assert printed.id < told.id and told.exception.endswith("RuntimeError: no model")
    # Nothing else is known of a refused upload: until its line is stored there is no such plugin.
    until(lambda: is_known(client, "refused_1_0_0"), what="the refused upload left a line")
    assert said(client, "refused_1_0_0", "reading").source == "test"
