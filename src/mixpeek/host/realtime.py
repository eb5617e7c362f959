"""Finds a plugin's realtime handler, in any of the three documented styles, and calls it.

A plugin without realtime.py answers through its pipeline, one row at a time; that lives in `host.verbs`.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Literal

from mixpeek.contract.inference import BaseInferenceService
from mixpeek.host.failures import invalid
from mixpeek.host.loader import construct, preload

Style = Literal["predict", "call", "run_inference"]


class Handler:
    """A realtime handler: its class, how it wants to be called, and its one instance."""

    def __init__(self, cls: type[Any]) -> None:
        self.style = style_of(cls)
        self._cls = cls
        self._call: Any = None
        self._arguments = 0
        self._batch: Any = None

    @property
    def has_batch(self) -> bool:
        """Whether the handler can be asked for several requests at once, by a method `predict_batch`."""
        return callable(getattr(self._cls, "predict_batch", None))

    def prepare(self) -> None:
        """Make the instance and load its model; what its constructor raises passes through."""
        if self._call is not None:
            return
        instance = construct(self._cls, None)
        preload(instance)
        call = instance if self.style == "call" else getattr(instance, self.style)
        self._arguments = _positional(call)
        self._batch = getattr(instance, "predict_batch", None)
        self._call = call

    def __call__(self, inputs: Any, parameters: dict[str, Any]) -> Any:
        """Return the handler's own answer, an awaitable if it is async."""
        if self._call is None:
            self.prepare()
        if self.style == "predict":
            return self._call(_merged(inputs, parameters))
        return self._call(inputs, parameters) if self._arguments >= 2 else self._call(inputs)

    def call_batch(self, inputs: Sequence[Any], parameters: dict[str, Any]) -> Any:
        """Return what `predict_batch` makes of requests, each as the handler's own method would get it.

        In the style `predict` they carry their parameters; in the others `predict_batch` takes these as a second
        argument, if it takes one.
        """
        if self._call is None:
            self.prepare()
        if self.style == "predict":
            return self._batch([_merged(each, parameters) for each in inputs])
        return self._batch(list(inputs), parameters) if _positional(self._batch) >= 2 else self._batch(list(inputs))


def find_handler(module: ModuleType) -> Handler:
    """Return the handler that realtime.py defines; raise Failure if there is none or more than one."""
    named = getattr(module, "RealtimeHandler", None)
    if isinstance(named, type):
        return Handler(named)
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and _style(value) is not None
    ]
    services = [cls for cls in own if issubclass(cls, BaseInferenceService) or cls.__name__.endswith("Service")]
    candidates = services or own
    if len(candidates) != 1:
        names = ", ".join(cls.__name__ for cls in candidates) or "none"
        raise invalid(f"realtime.py must define one handler class, as in RealtimeHandler with predict; found {names}")
    return Handler(candidates[0])


def style_of(cls: type[Any]) -> Style:
    """Return which method of a handler class takes requests; raise Failure if it has none of the three."""
    style = _style(cls)
    if style is None:
        raise invalid(f"{cls.__name__} in realtime.py has no predict, __call__ or run_inference")
    return style


def _style(cls: type[Any]) -> Style | None:
    if callable(getattr(cls, "predict", None)):
        return "predict"
    if _overrides(cls, "__call__"):
        return "call"
    return "run_inference" if _overrides(cls, "run_inference") else None


def _merged(inputs: Any, parameters: dict[str, Any]) -> Any:
    return {"parameters": parameters, **inputs} if parameters and isinstance(inputs, dict) else inputs


def _overrides(cls: type[Any], method: str) -> bool:
    """Whether the class itself, or a base of the author's, defines the method."""
    return any(method in vars(base) for base in cls.__mro__ if base not in (object, BaseInferenceService))


def _positional(call: Any) -> int:
    kinds = [parameter.kind for parameter in inspect.signature(call).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 2
    return sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)
