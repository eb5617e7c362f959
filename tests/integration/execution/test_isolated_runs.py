"""A run over a table in which some rows fail: those are named, alone, and all others come back."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa
import pytest

from mixpeek.errors import PluginRaised, PluginReplyInvalid, PluginTimedOut
from mixpeek.execution.blocking import BlockingHost
from mixpeek.execution.port import Isolation, PartialRun

CALL_S = 1.0
ROWS, BATCH = 256, 32
PIPELINE = """
    import time

    class Processor:
        def __init__(self, config, progress_actor=None):
            self.calls = 0

        def __call__(self, batch):
            self.calls += 1
            texts = list(batch["data"])
            if "raise" in texts:
                raise ValueError("not this one")
            if "exit" in texts:
                raise SystemExit(3)
            if "sleep" in texts:
                time.sleep(3600)
            if "spin" in texts:
                while True:
                    spun = time.monotonic()
            if "none" in texts:
                return None
            if "column" in texts:
                batch["no such column"]
            if "network" in texts:
                raise ConnectionError("nobody there")
            batch["vector"] = [[1.0, 2.0, 3.0] if t == "long" else [float(len(t)), 1.0] for t in texts]
            values = {"mixed": {"a": 1}, "unsayable": object()}
            batch["value"] = [values.get(t, float(len(t))) for t in texts]
            batch["count"] = [len(t) for t in texts]
            if "drop" in texts:
                batch = batch[[t != "drop" for t in texts]]
            if "drop id" in texts:
                batch["document_id"] = ["x"] * len(batch)
            return batch

    def build_steps(extractor_request, **kwargs):
        return {"steps": [Processor({})]}
"""


def run(host: BlockingHost, *bad: str, alone: bool = False, call_s: float = CALL_S) -> tuple[PartialRun, list[str]]:
    texts = [f"text {place}" for place in range(ROWS)]
    for number, text in enumerate(bad):
        texts[200 + 3 * number] = text
    table = pa.table({"document_id": [f"doc_{place}" for place in range(ROWS)], "data": texts})
    return host.run_isolated(table, Isolation(BATCH, call_s, alone), timeout_s=30), texts


def start_built(start: Any) -> BlockingHost:
    host: BlockingHost = start(pipeline=PIPELINE)
    host.build()
    return host


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("raise", PluginRaised, "ValueError: not this one"),
        ("exit", PluginRaised, "SystemExit"),
        ("none", PluginReplyInvalid, "returned None"),
        ("column", PluginRaised, "the columns are document_id, data"),
        ("drop", PluginReplyInvalid, "0 rows for 1"),
        ("drop id", PluginReplyInvalid, "other document_ids"),
        ("unsayable", PluginReplyInvalid, "'value' holds what cannot be stored"),
        ("network", PluginRaised, "nobody there"),
    ],
)
def test_exactly_the_row_at_fault_is_left_out(start: Any, text: str, kind: type[Exception], words: str) -> None:
    ran, texts = run(start_built(start), text)

    [fault] = ran.faults
    assert (texts[fault.row], type(fault.error)) == (text, kind)
    assert fault.error is not None
    assert words in fault.error.message
    assert ran.table.column("data").to_pylist() == [each for each in texts if each != text]
    assert ran.table.schema.field("count").type == pa.int64(), "a row that is left out changes no other row's value"
    assert ("retry_after_s" in fault.error.details) == (text == "network")


@pytest.mark.parametrize("text", ["sleep", "spin"])
def test_a_row_that_hangs_is_interrupted_and_named_with_its_line_while_the_host_lives_on(start: Any, text: str) -> None:
    host, call_s = start_built(start), 10.0  # far more than the pace of the others makes it wait, also when busy

    ran, texts = run(host, text, call_s=call_s)

    [fault] = ran.faults
    assert texts[fault.row] == text
    assert isinstance(fault.error, PluginTimedOut)
    assert fault.error.details["waited_s"] < call_s, "it was suspected before its time was over"
    assert fault.error.details["frames"][-1]["code"] in ("time.sleep(3600)", "while True:", "spun = time.monotonic()")
    assert ran.table.num_rows == ROWS - 1
    assert run(host)[0].faults == ()


def test_a_suspect_that_is_run_alone_has_all_of_its_time(start: Any) -> None:
    host = start_built(start)
    table = pa.table({"document_id": ["doc_0"], "data": ["sleep"]})
    run(host)  # the first table has the host load what reads it

    began = time.monotonic()
    [fault] = host.run_isolated(table, Isolation(BATCH, CALL_S, alone=True), timeout_s=30).faults

    assert fault.error is not None
    assert fault.error.details["waited_s"] == CALL_S
    assert CALL_S <= time.monotonic() - began < CALL_S + 1


def test_after_several_hangs_the_rest_is_left_untried(start: Any) -> None:
    ran, texts = run(start_built(start), *["sleep"] * 9)

    untried = [texts[fault.row] for fault in ran.faults if fault.error is None]
    assert untried
    assert ran.table.num_rows + len(ran.faults) == ROWS


def test_values_of_several_kinds_in_one_column_all_arrive(start: Any) -> None:
    ran, texts = run(start_built(start), "mixed", "long")

    assert ran.faults == ()
    assert ran.table.schema.field("value").metadata == {b"mixpeek": b"json"}
    assert ran.table.num_rows == len(texts)
