"""Which waiting requests share one call of the plugin, and what each gets back from it."""

from __future__ import annotations

import io
import json
import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest

from mixpeek.host.failures import Failure
from mixpeek.host.inference import Asked, answer_group, take_together


def asked(number: int, inputs: Any = None, parameters: Any = None, **header: Any) -> Asked:
    body = {"inputs": {"text": str(number)} if inputs is None else inputs, "parameters": parameters}
    return Asked({"id": number, "verb": "infer", **header}, json.dumps(body).encode())


def taken(*waiting: Any, limit: int = 4, same_keys: bool = False) -> list[int]:
    return [each.identifier for each in take_together(deque(waiting), limit, same_keys=same_keys)]


def test_all_that_waits_is_taken_up_to_the_limit() -> None:
    assert taken(*map(asked, range(3))) == [0, 1, 2]
    assert taken(*map(asked, range(9))) == [0, 1, 2, 3]
    assert taken(*map(asked, range(9)), limit=1) == [0]


def test_only_equal_parameters_go_together_and_order_is_kept() -> None:
    other = {"scale": 2}

    assert taken(asked(0), asked(1, parameters={}), asked(2, parameters=other), asked(3)) == [0, 1]
    assert taken(asked(0, parameters=other), asked(1, parameters=other), asked(2)) == [0, 1]


def test_parameters_that_only_compare_equal_do_not_go_together() -> None:
    alike = [asked(number, parameters={"k": value}) for number, value in enumerate((1, True, 1.0))]

    assert taken(*alike) == [0]
    assert taken(asked(0, parameters={"a": 1, "b": [2]}), asked(1, parameters={"b": [2], "a": 1})) == [0, 1]


def test_rows_of_one_table_have_the_same_keys() -> None:
    rows = asked(0, {"text": "a"}), asked(1, {"text": "b"}), asked(2, {"text": "c", "url": "d"})

    assert taken(*rows, same_keys=True) == [0, 1]
    assert taken(*rows, same_keys=False) == [0, 1, 2]


def test_a_request_that_may_have_ended_a_host_goes_alone() -> None:
    assert taken(asked(0, alone=True), asked(1)) == [0]
    assert taken(asked(0), asked(1, alone=True), asked(2)) == [0]


def test_other_calls_and_unreadable_requests_end_a_group() -> None:
    unreadable = Asked({"id": 9}, b'{"inputs": NaN}')

    assert taken(asked(0), ({"id": 1, "verb": "build"}, b""), asked(2)) == [0]
    assert taken(asked(0), unreadable, asked(2)) == [0]
    assert taken(unreadable, asked(2)) == [9]


class Plugin:
    """Doubles numbers; a call for several that holds `bad` fails, and so does `bad` alone."""

    def __init__(self, results: Any = None) -> None:
        self.calls: list[int] = []
        self.results = results

    def predict_one(self, inputs: Any, parameters: dict[str, Any]) -> Any:
        self.calls.append(1)
        if inputs == "bad":
            raise ValueError("bad")
        return inputs * 2

    def predict_many(self, inputs: Sequence[Any], parameters: dict[str, Any]) -> Any:
        self.calls.append(len(inputs))
        if "bad" in inputs:
            raise ValueError("one of them is bad")
        return [each * 2 for each in inputs] if self.results is None else self.results

    def batches_by_keys(self) -> bool:
        return False


def encode(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


def results_of(plugin: Plugin, *inputs: Any) -> list[Any]:
    group = [asked(number, each) for number, each in enumerate(inputs)]
    answers = list(answer_group(plugin, group, encode))
    assert [each.identifier for each, _, _ in answers] == list(range(len(inputs)))
    return [json.loads(result) if isinstance(result, bytes) else str(result) for _, _, result in answers]


def test_several_requests_are_one_call() -> None:
    plugin = Plugin()

    assert results_of(plugin, 1, 2, 3) == [2, 4, 6]
    assert plugin.calls == [3]


def test_one_bad_request_never_fails_its_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    plugin = Plugin()

    assert results_of(plugin, 1, "bad", 3) == [2, "bad", 6]
    assert plugin.calls == [3, 1, 1, 1]
    assert "one of them is bad" in capsys.readouterr().err


@pytest.mark.parametrize("results", [[1, 2], None, "abc", [1, 2, float("nan")]], ids=["short", "none", "text", "nan"])
def test_results_that_cannot_be_handed_out_are_asked_for_again_one_by_one(
    results: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = Plugin(results or {"not": "a list"})

    assert results_of(plugin, 1, 2, 3) == [2, 4, 6]
    assert plugin.calls == [3, 1, 1, 1]
    assert capsys.readouterr().err


def test_a_request_that_cannot_be_read_is_answered_with_a_failure() -> None:
    deep = b'{"inputs":' + b"[" * 5000 + b"]" * 5000 + b"}"
    group = [Asked({"id": 1}, deep)]

    ((_, _, result),) = answer_group(Plugin(), group, encode)

    assert isinstance(result, Failure)
    assert "cannot be read" in result.message


def test_a_plugin_that_closed_stderr_has_its_requests_asked_again_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)

    answers = list(answer_group(Plugin(), [asked(0, inputs=1), asked(1, inputs="bad"), asked(2, inputs=3)], _encode))

    assert [answer for _, _, answer in answers][::2] == [b"2", b"6"]
    assert isinstance(answers[1][2], ValueError)


def _encode(result: Any) -> bytes:
    return json.dumps(result).encode()
