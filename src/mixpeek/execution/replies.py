"""Checks what a host answered, and turns its failures into error classes.

A host runs foreign code, so any field may be missing, of another type, or far too long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from mixpeek.contract.pipeline import ResourceType, RowCondition
from mixpeek.errors import (
    PluginError,
    PluginOutOfMemory,
    PluginRaised,
    PluginReplyInvalid,
    PluginReplyTooLarge,
    PluginScratchFull,
    PluginTimedOut,
    PluginTooManyFiles,
    PluginTooManyThreads,
)
from mixpeek.execution.port import Description, Health, RowFault, Step

# What a host may say of itself; how it ended, and what it used, is told by those who watch it.
_KINDS: dict[str, type[PluginError]] = {
    kind.__name__: kind
    for kind in (
        *(PluginRaised, PluginReplyInvalid, PluginReplyTooLarge, PluginOutOfMemory),
        *(PluginScratchFull, PluginTooManyFiles, PluginTooManyThreads),
    )
}
# Of a row, also that its call was interrupted, or never made.
_UNTRIED = "Untried"
_ROW_KINDS = {**_KINDS, PluginTimedOut.__name__: PluginTimedOut}
_MOST_WAITED_S = 86_400.0
_STYLES = (None, "predict", "call", "run_inference")
_MAX_TEXT = 4000
_MAX_FRAMES = 30
_MAX_STEPS = 256


def exit_code_from(result: Any) -> int:
    """Return pytest's exit code from what a host says of its tests; raise PluginReplyInvalid."""
    code = _object(result).get("exit_code")
    if not _is_count(code):
        raise _unusable("tests")
    return code


def error_from(reply: dict[str, Any], cover: Callable[[str], str] = str) -> PluginError:
    """Return the error that a refused call raises: message, the plugin's frames, its step and exception type.

    Args:
        cover: takes what must not be shown out of the plugin's words.
    """
    return _error_from(reply.get("error"), _KINDS, cover)


def faults_from(result: Any, rows: int, cover: Callable[[str], str] = str) -> tuple[RowFault, ...]:
    """Return the rows that a run left out, in order, from its result; raise PluginReplyInvalid."""
    told = _object(result).get("faults")
    if not isinstance(told, list) or len(told) > rows:
        raise _unusable("run")
    faults: list[RowFault] = []
    for each in told:
        fields = _object(each)
        row, error = fields.get("row"), _object(fields.get("error"))
        # In order and therefore none twice.
        if not _is_count(row) or row >= rows or (faults and row <= faults[-1].row):
            raise _unusable("run")
        was_tried = error.get("type") != _UNTRIED
        faults.append(RowFault(row, _error_from(error, _ROW_KINDS, cover) if was_tried else None))
    return tuple(faults)


def _error_from(error: Any, kinds: dict[str, type[PluginError]], cover: Callable[[str], str]) -> PluginError:
    kind = error.get("type") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(kind, str) or kind not in kinds:
        return PluginReplyInvalid("The plugin's host answered with an error that cannot be read")
    frames = error.get("frames")
    cleaned = [_frame(frame) for frame in frames[:_MAX_FRAMES]] if isinstance(frames, list) else []
    details: dict[str, Any] = {
        "frames": [frame for frame in cleaned if frame is not None],
        "step": _text(error.get("step")),
        "exception": _text(error.get("exception")),
    }
    for name in ("waited_s", "retry_after_s"):
        seconds = error.get(name)
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds <= _MOST_WAITED_S:
            details[name] = float(seconds)
    message = cover(_text(error.get("message")) or "The plugin failed without a message")
    return kinds[kind](message, **details)


def description_from(result: Any) -> Description:
    """Return the description in a reply to `describe`; raise PluginReplyInvalid."""
    fields = _object(result)
    manifest, style, python = fields.get("manifest"), fields.get("realtime"), fields.get("python")
    if not isinstance(manifest, dict) or style not in _STYLES or not isinstance(python, str):
        raise _unusable("describe")
    return Description(manifest, style, (_text(python) or "")[:40])


def steps_from(result: Any) -> tuple[Step, ...]:
    """Return the steps in a reply to `build`, numbered from 0; raise PluginReplyInvalid."""
    steps = _object(result).get("steps")
    if not isinstance(steps, list) or len(steps) > _MAX_STEPS:
        raise _unusable("build")
    return tuple(_step(index, step) for index, step in enumerate(steps))


def health_from(result: Any) -> Health:
    """Return the health in a reply; raise PluginReplyInvalid."""
    fields = _object(result)
    busy, waiting, answered = fields.get("busy"), fields.get("waiting"), fields.get("answered")
    if not isinstance(busy, bool) or not _is_count(waiting) or not _is_count(answered):
        raise _unusable("health")
    return Health(busy, waiting, answered)


def batch_size_from(result: Any, most: int) -> int:
    """Return how many requests one call answers, 1 to `most`, from a reply to `warmup`; raise PluginReplyInvalid."""
    size = _object(result).get("batch_size")
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= most:
        raise _unusable("warmup")
    return size


def prediction_from(result: Any) -> Any:
    """Return the handler's own result; raise PluginReplyInvalid."""
    fields = _object(result)
    if "result" not in fields:
        raise _unusable("predict")
    return fields["result"]


def _step(index: int, step: Any) -> Step:
    fields = _object(step)
    name, enabled = fields.get("name"), fields.get("enabled")
    resource_type, condition = fields.get("resource_type"), fields.get("condition")
    is_known = _is_value(ResourceType, resource_type) and _is_value(RowCondition, condition)
    if fields.get("index") != index or not isinstance(name, str) or not isinstance(enabled, bool) or not is_known:
        raise _unusable("build")
    return Step(index, (_text(name) or "")[:200], str(resource_type), str(condition), enabled)


def _is_value(enum: Callable[[Any], object], value: Any) -> bool:
    try:
        enum(value)
    except ValueError:
        return False
    return isinstance(value, str)


def _frame(frame: Any) -> dict[str, Any] | None:
    if not isinstance(frame, dict) or not _is_count(frame.get("line")):
        return None
    texts = {key: _text(frame.get(key)) or "" for key in ("file", "function", "code")}
    return {"file": texts["file"], "line": frame["line"], "function": texts["function"], "code": texts["code"]}


def _text(value: Any) -> str | None:
    # Lone surrogates can be said in JSON but not in UTF-8, and NUL not in PostgreSQL, where this text will end up.
    return value[:_MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", "?") if isinstance(value, str) else None


def _is_count(value: Any) -> TypeGuard[int]:
    """Tell whether this is a whole number that every database and JSON reader can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PluginReplyInvalid("The plugin's host answered with something that is not an object")
    return value


def _unusable(verb: str) -> PluginReplyInvalid:
    return PluginReplyInvalid(f"The plugin's host answered `{verb}` with fields that are missing or of another type")
