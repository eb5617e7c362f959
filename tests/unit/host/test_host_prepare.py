"""`prepare` of what build_steps returns: called once a run, before the steps, with all rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pandas as pd
import pytest

from mixpeek.contract.columns import DATA, DOCUMENT_ID
from mixpeek.host.failures import Failure
from mixpeek.host.loader import PluginPackage
from mixpeek.host.patience import Patience
from mixpeek.host.rows import Ran, run_frame
from mixpeek.host.steps import Pipeline, build_steps

PIPELINE = """
CALLS = []

def upper(batch):
    batch["upper"] = [text.upper() for text in batch["data"]]
    return batch

{prepare}

def build_steps(extractor_request, **kwargs):
    return {{"steps": [upper], "prepare": prepare}}
"""

Run = Callable[..., tuple[Ran, Pipeline, PluginPackage]]


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Run:
    """Run a pipeline whose `prepare` is written so over some texts, two at a time."""

    def run_pipeline(
        prepare: str, texts: str = "a b c", *, patience: Patience | None = None, explodes: bool = False
    ) -> tuple[Ran, Pipeline, PluginPackage]:
        (tmp_path / "pipeline.py").write_text(PIPELINE.format(prepare=dedent(prepare)))
        package = PluginPackage(tmp_path, f"prepared_{abs(hash(request.node.name))}")
        pipeline = build_steps(package, {}, "prepared", "1.0.0")
        words = texts.split()
        frame = pd.DataFrame({DOCUMENT_ID: [f"doc_{number}" for number in range(len(words))], DATA: words})
        steps = [*([pipeline.prepare] if pipeline.prepare else []), *pipeline]
        return run_frame(package, steps, frame, 2, patience, explodes=explodes), pipeline, package

    return run_pipeline


def body(lines: str) -> str:
    return "def prepare(rows):\n" + indent(dedent(lines), "    ")


@pytest.mark.parametrize(
    "lines",
    [
        "CALLS.append(len(rows)); rows['data'] = rows['data'] + '!'; return rows",
        "CALLS.append(len(rows)); rows['data'] = rows['data'] + '!'",
        "CALLS.append(len(rows)); return rows.assign(data=rows['data'] + '!').iloc[::-1]",
        "CALLS.append(len(rows)); return rows.assign(data=rows['data'] + '!').iloc[::-1].reset_index(drop=True)",
    ],
)
@pytest.mark.parametrize("explodes", [False, True])
def test_it_is_called_once_with_all_rows_and_the_steps_see_what_it_made(lines: str, explodes: bool, run: Run) -> None:
    ran, _, package = run(body(lines), explodes=explodes)

    assert ran.frame["upper"].tolist() == ["A!", "B!", "C!"]
    assert package.load("pipeline").CALLS == [3]


def test_what_leaves_the_rows_as_they_are_is_not_called_at_all(run: Run) -> None:
    for same in ("prepare = lambda ds: ds", "def prepare(rows):\n    return rows", "prepare = None"):
        ran, pipeline, _ = run(same)

        assert pipeline.prepare is None
        assert ran.frame["upper"].tolist() == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        ("prepare = 7", "'prepare' is a int, which cannot be called"),
        (body("return rows.to_dict()"), "prepare returned a dict; return the DataFrame"),
        (body("return rows.iloc[:1]"), "prepare returned 1 rows for 3; return one row for each"),
        (body("return rows.assign(document_id='other')"), "prepare returned other document_ids than it was given"),
        (body("raise ValueError('no such rows')"), "no such rows"),
    ],
)
@pytest.mark.parametrize("explodes", [False, True])
def test_anything_else_is_refused_by_name(prepare: str, message: str, explodes: bool, run: Run) -> None:
    with pytest.raises(Failure) as refused:
        run(prepare, explodes=explodes)

    assert message in refused.value.wire()["message"]
    assert refused.value.wire()["step"] == "prepare"


def test_a_row_it_fails_on_is_left_out_and_named(run: Run) -> None:
    prepare = body("assert 'b' not in set(rows['data']), 'not b'\nreturn rows.assign(data=rows['data'] + '!')")

    ran, _, _ = run(prepare, patience=Patience(5.0, alone=False))

    assert ran.frame["upper"].tolist() == ["A!", "C!"]
    assert {row: failure.wire()["step"] for row, failure in ran.faults.items()} == {1: "prepare"}
