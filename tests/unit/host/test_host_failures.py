"""Failures name the author's own code and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from mixpeek.host.failures import Failure, failure_from, own_frames


def test_frames_outside_the_plugin_are_left_out() -> None:
    root = Path(__file__).parent
    try:
        json.loads("{")
    except ValueError as error:
        frames = own_frames(error.__traceback__, root)
        elsewhere = own_frames(error.__traceback__, root / "other")

    assert [(frame["file"], frame["code"]) for frame in frames] == [(Path(__file__).name, 'json.loads("{")')]
    assert elsewhere == []


def test_an_exception_whose_text_cannot_be_read_still_fails_cleanly() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    failure = failure_from(Broken(), Path("/nowhere"))

    assert failure.message == "Broken: (its text cannot be read: RuntimeError)"


def test_a_failure_keeps_the_first_step_it_was_given() -> None:
    failure = failure_from(Failure("PluginRaised", "x", step="steps[0] A"), Path("/"), step="steps[1] B")

    assert failure.wire()["step"] == "steps[0] A"


def test_long_messages_are_cut() -> None:
    assert len(failure_from(ValueError("x" * 10_000), Path("/")).wire()["message"]) == 4000
