"""`mixpeek infer`: what it sends, what it prints, and what it refuses before sending."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factories.commands import Command
from factories.local_server import LocalServer

ANSWER = {
    "status": "success",
    "inference_name": "words_1_0_0",
    "feature_uri": "mixpeek://words@1.0.0/vector",
    "version": "1.0.0",
    "code_hash": "0123456789abcdef",
    "output": {"embedding": [0.5, 1.0]},
}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("words", {"inference_name": "words"}),
        ("mixpeek://words/vector", {"feature_uri": "mixpeek://words/vector"}),
    ],
)
def test_a_plugin_is_asked_and_its_output_alone_is_printed(
    mix: Command, server: LocalServer, tmp_path: Path, name: str, sent: dict[str, str]
) -> None:
    server.on("POST /v1/namespaces/demo/inference", ANSWER)
    (tmp_path / "inputs.json").write_text('{"text": "hello"}')

    where = ("--namespace", "demo", "--base-url", server.url)
    ran = mix("infer", name, f"@{tmp_path / 'inputs.json'}", "--parameters", '{"k": 1}', *where)

    assert (ran.code, json.loads(ran.out)) == (0, ANSWER["output"])
    assert "answered by words_1_0_0, code 0123456789ab" in ran.err
    assert server.asked[0].json == {**sent, "inputs": {"text": "hello"}, "parameters": {"k": 1}}


@pytest.mark.parametrize("inputs", ["{text: hello}", "[1]", "@nowhere.json"])
def test_inputs_that_are_no_json_object_are_a_wrong_call(mix: Command, inputs: str) -> None:
    ran = mix("infer", "words", inputs, "--namespace", "demo")

    assert ran.code == 2
    assert "INPUTS is not" in ran.err
    assert "`@FILE` with such JSON" in ran.err
