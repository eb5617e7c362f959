"""What a failed rollout tells its author, as text and in parts."""

from __future__ import annotations

from mixpeek.deployments.failure import MOST_FRAMES, MOST_TEXT, describe_failure, failure_from
from mixpeek.errors import PluginError, PluginOutOfMemory, PluginRaised

FRAME = {"file": "realtime.py", "line": 3, "function": "predict", "code": "return request['text']"}


def test_a_plugins_error_comes_with_its_code_hint_and_own_frames() -> None:
    error = PluginRaised("KeyError: 'text'", hint="Look twice", frames=[FRAME], step=None)

    assert failure_from(error) == {
        "code": "plugin.raised",
        "message": "KeyError: 'text'",
        "hint": "Look twice",
        "frames": [FRAME],
    }
    assert describe_failure(error) == "KeyError: 'text'\n  realtime.py:3 in predict"


def test_an_error_without_frames_is_named_and_keeps_the_hint_of_its_kind() -> None:
    failure = failure_from(PluginOutOfMemory("held 300 MiB"))

    assert failure["message"] == "PluginOutOfMemory: held 300 MiB"
    assert "actor_memory_gb" in failure["hint"]
    assert failure["frames"] == []


def test_an_error_passed_on_keeps_the_code_of_its_cause() -> None:
    assert failure_from(PluginError("no green", cause_code="plugin.timed_out"))["code"] == "plugin.timed_out"


def test_an_unexpected_error_is_ours() -> None:
    assert failure_from(ValueError("what")) == {
        "code": "internal",
        "message": "ValueError: what",
        "hint": None,
        "frames": [],
    }


def test_however_much_a_host_says_only_the_innermost_frames_and_so_much_text_are_kept() -> None:
    frames = [{**FRAME, "line": line, "code": "x" * 10_000, "file": "y" * 10_000} for line in range(100)]

    failure = failure_from(PluginRaised("z" * 100_000, frames=frames))

    assert [frame["line"] for frame in failure["frames"]] == list(range(100 - MOST_FRAMES, 100))
    assert len(failure["message"]) == MOST_TEXT
    assert max(len(frame["code"]) + len(frame["file"]) for frame in failure["frames"]) <= 600


def test_what_the_database_cannot_hold_is_replaced() -> None:
    error = PluginRaised("a\x00b\ud800", frames=[{**FRAME, "code": "\x00"}])

    assert failure_from(error)["message"] == "a?b?"
    assert failure_from(error)["frames"][0]["code"] == "?"
    assert describe_failure(error).startswith("a?b?\n")


def test_frames_that_are_none_are_no_frames() -> None:
    assert failure_from(PluginRaised("x", frames="nonsense"))["frames"] == []
    assert failure_from(PluginRaised("x", frames=[None, FRAME]))["frames"] == [FRAME]
