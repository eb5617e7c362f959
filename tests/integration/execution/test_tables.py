"""Batches: what a processor is given, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from mixpeek.errors import PluginRaised, PluginReplyInvalid
from mixpeek.execution.blocking import BlockingHost

StartHost = Callable[..., BlockingHost]


def rows(**columns: Any) -> pa.Table:
    count = len(next(iter(columns.values()))) if columns else 3
    given = {"document_id": [f"doc_{n}" for n in range(count)], "data": ["a", "bb", "ccc"][:count]}
    return pa.table({**given, **columns})


def pipeline(*bodies: str, conditions: tuple[str, ...] = ()) -> str:
    classes = ""
    for number, body in enumerate(bodies):
        lines = "\n".join(f"            {line}" for line in body.splitlines())
        classes += f"    class Step{number}:\n        def __call__(self, batch):\n{lines}\n"
    chosen = [conditions[n] if n < len(conditions) else "always" for n in range(len(bodies))]
    steps = ", ".join(f"StepDefinition(Step{n}, condition={condition!r})" for n, condition in enumerate(chosen))
    return f"""
    import pandas as pd
    from engine.plugins.extractors.pipeline import StepDefinition
{classes}
    def build_steps(extractor_request):
        return {{"steps": [{steps}]}}
    """


def test_new_columns_return_with_data_and_system_columns_and_nothing_else(start: StartHost) -> None:
    host = start()

    result = host.run(rows(text=["x", "y", "z"], mime_type=["text/plain"] * 3))

    assert result.column_names == ["document_id", "data", "mime_type", "vector"]
    assert result["vector"].type == pa.list_(pa.float32(), 2)
    assert result["vector"].to_pylist() == [[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]


def test_rows_that_a_processor_reordered_return_in_order(start: StartHost) -> None:
    body = "batch['score'] = range(len(batch))\nreturn batch.sort_values('score', ascending=False)"
    host = start(pipeline=pipeline(body))

    assert host.run(rows())["score"].to_pylist() == [0, 1, 2]


def test_a_fresh_frame_in_another_order_is_aligned_by_document_id(start: StartHost) -> None:
    body = "ids = list(batch['document_id'])[::-1]\nreturn pd.DataFrame({'document_id': ids, 'score': ids})"
    host = start(pipeline=pipeline(body))

    assert host.run(rows())["score"].to_pylist() == ["doc_0", "doc_1", "doc_2"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("batch['x'] = 1", r"steps\[0\] Step0 returned None; return the DataFrame"),
        ("return [1, 2, 3]", r"steps\[0\] Step0 returned a list"),
        ("return batch.head(1)", "returned 1 rows for 3"),
        ("return pd.concat([batch, batch])", "returned 6 rows for 3"),
        ("batch['document_id'] = 'doc_0'\nreturn batch", "other document_ids"),
        ("return batch.rename(columns={'data': 3})", "not distinct strings"),
        ("batch['thing'] = [object()] * len(batch)\nreturn batch", "column 'thing' cannot be sent on"),
    ],
)
def test_an_unusable_answer_names_the_step_or_column(start: StartHost, body: str, message: str) -> None:
    host = start(pipeline=pipeline(body))

    with pytest.raises(PluginReplyInvalid, match=message):
        host.run(rows())
    assert host.alive


def test_a_missing_column_is_named_beside_those_there_are(start: StartHost) -> None:
    host = start(pipeline=pipeline("batch['n'] = 1\nreturn batch", "return batch['txet']"))

    with pytest.raises(PluginRaised) as caught:
        host.run(rows(text=["x", "y", "z"]))

    assert caught.value.message == "KeyError: 'txet'; the columns are document_id, data, text, n"
    assert caught.value.details["step"] == "steps[1] Step1"
    assert caught.value.details["frames"][0]["code"] == "return batch['txet']"


def test_a_step_sees_only_the_rows_of_its_condition(start: StartHost) -> None:
    body = "assert list(batch.index) == list(range(len(batch)))\nbatch['seen'] = list(batch['data'])\nreturn batch"
    host = start(pipeline=pipeline(body, conditions=("is_text",)))

    result = host.run(rows(mime_type=["text/plain", "image/png", None]))

    assert result["seen"].to_pylist() == ["a", None, "ccc"]


def test_vectors_of_some_rows_leave_the_others_empty(start: StartHost) -> None:
    body = "batch['vector'] = [[1.0, 2.0]] * len(batch)\nreturn batch"
    host = start(pipeline=pipeline(body, conditions=("is_image",)))

    vectors = host.run(rows(mime_type=["image/png", "text/plain", "image/png"]))["vector"]

    assert vectors.type == pa.list_(pa.float32(), 2)
    assert vectors.to_pylist() == [[1.0, 2.0], None, [1.0, 2.0]]


def test_vectors_of_different_lengths_return_as_they_are(start: StartHost) -> None:
    host = start(pipeline=pipeline("batch['vector'] = [[1.0], [1.0, 2.0], []]\nreturn batch"))

    assert host.run(rows())["vector"].to_pylist() == [[1.0], [1.0, 2.0], []]


def test_later_steps_see_what_earlier_ones_wrote(start: StartHost) -> None:
    host = start(pipeline=pipeline("batch['a'] = 1\nreturn batch", "batch['b'] = batch['a'] + 1\nreturn batch"))

    assert host.run(rows())["b"].to_pylist() == [2, 2, 2]


def test_single_steps_can_be_run(start: StartHost) -> None:
    host = start(pipeline=pipeline("batch['a'] = 1\nreturn batch", "batch['b'] = 2\nreturn batch"))

    assert host.run(rows(), [1]).column_names == ["document_id", "data", "b"]
    with pytest.raises(PluginReplyInvalid, match="no step 7"):
        host.run(rows(), [7])


def test_a_processor_is_called_with_no_more_rows_than_asked(start: StartHost) -> None:
    host = start(pipeline=pipeline("batch['size'] = len(batch)\nreturn batch"))

    assert host.run(rows(), batch_rows=2)["size"].to_pylist() == [2, 2, 1]


def test_what_a_processor_does_to_system_columns_is_not_kept(start: StartHost) -> None:
    host = start(pipeline=pipeline("batch['mime_type'] = 'x'\nbatch['data'] = 'new'\nreturn batch"))

    result = host.run(rows(mime_type=["text/plain"] * 3))

    assert result["mime_type"].to_pylist() == ["text/plain"] * 3
    assert result["data"].to_pylist() == ["new"] * 3


def test_disabled_steps_are_described_and_not_run(start: StartHost) -> None:
    source = pipeline("batch['a'] = 1\nreturn batch").replace("condition='always'", "enabled=False")
    host = start(pipeline=source)

    assert [step.enabled for step in host.build()] == [False]
    assert host.run(rows()).column_names == ["document_id", "data"]


def test_async_processors_and_plain_functions_are_steps_too(start: StartHost) -> None:
    source = """
    class Async:
        async def __call__(self, batch):
            batch["a"] = 1
            return batch

    def plain(batch):
        batch["b"] = 2
        return batch

    def build_steps(request):
        return {"steps": [Async(), plain]}
    """
    host = start(pipeline=source)

    assert [step.name for step in host.build()] == ["Async", "plain"]
    assert host.run(rows()).column_names == ["document_id", "data", "a", "b"]


def test_build_hands_parameters_and_identity_to_the_plugin(start: StartHost) -> None:
    source = """
    def build_steps(extractor_request, container, base_steps):
        given = extractor_request.extractor_config
        def step(batch):
            name, version = given.feature_extractor_name, given.version
            batch["seen"] = f"{name} {version} {given.parameters} {type(container).__name__} {base_steps}"
            return batch
        return {"steps": base_steps + [step]}
    """
    host = start(pipeline=source)

    host.build({"k": 1}, feature_extractor_name="other", version="2.0.0")

    assert host.run(rows())["seen"][0].as_py() == "other 2.0.0 {'k': 1} Container []"


@pytest.mark.parametrize("returned", ["None", "3", "{'step': []}", "{'steps': 3}", "{'steps': ['x']}"])
def test_build_steps_that_returns_something_else_is_refused(start: StartHost, returned: str) -> None:
    host = start(pipeline=f"def build_steps(request): return {returned}")

    with pytest.raises(PluginReplyInvalid, match="build_steps"):
        host.build()


PAGES = """
parts = [{**row, "page": page} for row in batch.to_dict("records") for page in row["data"].split("|") if page]
return pd.DataFrame(parts)
"""


def exploded(host: BlockingHost, *texts: str, **options: Any) -> list[dict[str, Any]]:
    table = pa.table({"document_id": [f"doc_{n}" for n in range(len(texts))], "data": list(texts)})
    found: list[dict[str, Any]] = host.run(table, explodes=True, **options).to_pylist()
    return found


def test_a_row_may_become_several_parts_or_none_each_with_the_id_of_its_row(start: StartHost) -> None:
    host = start(pipeline=pipeline(PAGES))

    assert exploded(host, "a|b", "", "c") == [
        {"document_id": "doc_0", "page": "a"},
        {"document_id": "doc_0", "page": "b"},
        {"document_id": "doc_2", "page": "c"},
    ]


def test_parts_stay_in_their_order_whatever_order_rows_come_back_in(start: StartHost) -> None:
    host = start(pipeline=pipeline(PAGES.replace("(parts)", "(parts[::2] + parts[1::2])")))

    assert [(part["document_id"], part["page"]) for part in exploded(host, "a|b", "c|d", batch_rows=2)] == [
        ("doc_0", "a"),
        ("doc_0", "b"),
        ("doc_1", "c"),
        ("doc_1", "d"),
    ]


@pytest.mark.parametrize("batch_rows", [None, 1, 2])
def test_a_later_step_sees_parts_and_may_split_them_again(start: StartHost, batch_rows: int | None) -> None:
    words = """
    parts = [{**row, "word": word} for row in batch.to_dict("records") for word in row["page"].split()]
    return pd.DataFrame(parts)[["document_id", "page", "word"]]
    """
    host = start(pipeline=pipeline(PAGES, words, "batch['size'] = batch['word'].str.len()\nreturn batch"))

    assert exploded(host, "one two|three", "four", batch_rows=batch_rows) == [
        {"document_id": "doc_0", "page": "one two", "word": "one", "size": 3},
        {"document_id": "doc_0", "page": "one two", "word": "two", "size": 3},
        {"document_id": "doc_0", "page": "three", "word": "three", "size": 5},
        {"document_id": "doc_1", "page": "four", "word": "four", "size": 4},
    ]


def test_rows_that_a_condition_holds_back_stay_between_the_parts_of_others(start: StartHost) -> None:
    host = start(pipeline=pipeline(PAGES, conditions=("is_text",)))
    table = pa.table(
        {
            "document_id": ["a", "b", "c"],
            "data": ["1|2", "x", "3"],
            "mime_type": ["text/plain", "image/png", "text/plain"],
        }
    )

    found = host.run(table, explodes=True).to_pylist()

    assert [(part["document_id"], part["page"]) for part in found] == [("a", "1"), ("a", "2"), ("b", None), ("c", "3")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return pd.DataFrame({'page': ['a', 'b']})", "without `document_id`"),
        ("return pd.DataFrame({'document_id': ['doc_0', 'doc_9']})", "other document_ids"),
        ("return pd.DataFrame({'document_id': ['doc_0', 7]})", "other document_ids"),
        ("batch['_part_of'] = 1\nreturn batch", "the platform's"),
    ],
)
def test_parts_that_belong_to_no_row_are_the_authors_fault(start: StartHost, body: str, message: str) -> None:
    host = start(pipeline=pipeline(body))

    with pytest.raises(PluginReplyInvalid, match=message):
        exploded(host, "a")


def test_without_the_declaration_another_number_of_rows_is_the_authors_fault(start: StartHost) -> None:
    host = start(pipeline=pipeline(PAGES))

    with pytest.raises(PluginReplyInvalid, match=r"returned 3 rows for 2.*`explodes = True`"):
        host.run(pa.table({"document_id": ["a", "b"], "data": ["1|2", "3"]}))


def test_realtime_through_an_exploding_pipeline_answers_with_the_first_part(start: StartHost) -> None:
    manifest = """
    metadata = {"feature_extractor_name": "sample", "version": "1.0.0", "description": "A sample", "explodes": True}
    features = []
    """
    host = start(pipeline=pipeline(PAGES), manifest=manifest)

    assert host.predict({"text": "a|b"}) == {"page": "a"}
    with pytest.raises(PluginReplyInvalid, match="no part"):
        host.predict({"text": ""})


def test_splitting_parts_again_without_what_was_made_of_them_is_refused(start: StartHost) -> None:
    again = "return pd.concat([batch, batch])[['document_id']]"
    host = start(pipeline=pipeline(PAGES, again))

    with pytest.raises(PluginReplyInvalid, match="left out 'page'"):
        exploded(host, "a|b")
