"""Mistakes that batches do not tell of, made on purpose in the text scaffold: what lint sees is said with its remedy.

The rest of the list is kept here too, with who catches it, so that none is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from factories.commands import Command
from mixpeek.scaffolds import render

Change = Callable[[Path], None]


def replaced(path: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / path).read_text()
        assert old in text, old
        (folder / path).write_text(text.replace(old, new))

    return change


def written(path: str, text: str) -> Change:
    def change(folder: Path) -> None:
        (folder / path).write_text(text)

    return change


READ = 'texts = batch["text"] if "text" in batch.columns else batch["data"]'
PRESENT = "present = [position for position, text in enumerate(texts) if isinstance(text, str) and text.strip()]"
ONLY_FIRST = """import pandas as pd

from .encoder import load_encoder

VECTOR = "text_embedding_vector"


class MyTextProcessor:
    def __init__(self, config=None, progress_actor=None):
        self.config = config

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        text = batch["text"].iloc[0]
        batch["my_text_vector"] = [load_encoder(1).encode([text])[0].tolist()] * len(batch)
        return batch
"""
OTHER_KEY = """from .processors.encoder import load_encoder


class RealtimeHandler:
    def predict(self, request):
        return {"vector": load_encoder(1).encode([request["text"]])[0].tolist()}
"""

# The number in the list, the rule, words of its remedy, and how the mistake is made.
MISTAKES: list[tuple[int, str, str, Change]] = [
    (
        1,
        "manifest.unknown_key",
        "Rename it to `embedding_dim`",
        replaced("manifest.py", '"embedding_dim"', '"dimensions"'),
    ),
    (
        5,
        "rows.unknown_column",
        "Read a column of `input_schema`",
        replaced("processors/core.py", READ, 'texts = batch["body"]'),
    ),
    (8, "realtime.result_key", "Return it as `embedding`", written("realtime.py", OTHER_KEY)),
    (9, "rows.first_only", "Read the whole column", written("processors/core.py", ONLY_FIRST)),
    (
        11,
        "rows.count_changed",
        "`explodes = True`",
        replaced("processors/core.py", PRESENT, f"batch = batch.dropna()\n        {PRESENT}"),
    ),
    (
        12,
        "security.os_system",
        "Do the work in Python",
        written("tools.py", "import os\n\ngetattr(os, 'sys' + 'tem')('ls')\n"),
    ),
]
# What only a run, a server or nothing at all shows.
NOT_BY_LINT = {
    2: "nobody has to: a new plugin has no finding, as below",
    3: "the server: COMPLETED only if what is stored is what was expected",
    4: "the server: rows without a vector are counted in the task",
    6: "`plugin test --sample-data`, and each row's outcome on the server",
    7: "nobody has to: without realtime.py the pipeline answers, and confirm says so",
    10: "nobody has to: the host hands over a clean index and puts rows back in order",
    13: "the server: a filter is executed or refused",
    14: "the server: every answer lists its warnings",
    15: "the server: an unknown key is refused by name",
    16: "the server: document ids are made of what they come from",
}


def new_plugin(tmp_path: Path) -> Path:
    render("text", "my_text", "Embeds texts", "Ada", tmp_path / "my_text")
    return tmp_path / "my_text"


def test_the_list_is_whole() -> None:
    assert sorted([*NOT_BY_LINT, *(number for number, *_ in MISTAKES)]) == list(range(1, 17))


def test_a_new_plugin_has_no_finding(mix: Command, tmp_path: Path) -> None:
    ran = mix("plugin", "lint", new_plugin(tmp_path), "--strict", "--json")

    assert (ran.code, ran.json["findings"]) == (0, [])


@pytest.mark.parametrize(
    ("number", "rule", "remedy", "change"), MISTAKES, ids=[f"{number}-{rule}" for number, rule, *_ in MISTAKES]
)
def test_a_mistake_is_found_with_what_to_do(
    mix: Command, tmp_path: Path, number: int, rule: str, remedy: str, change: Change
) -> None:
    folder = new_plugin(tmp_path)
    change(folder)

    ran = mix("plugin", "lint", folder, "--strict")

    assert ran.code == 1, number
    assert rule in ran.out
    assert remedy in ran.out
