"""Turns what build_steps returns into steps that can be called, each processor made once.

Both shapes are taken: `StepDefinition`s, and callables put into the list directly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mixpeek.contract.container import Container
from mixpeek.contract.pipeline import ResourceType, RowCondition, StepDefinition
from mixpeek.host.failures import failure_from, invalid
from mixpeek.host.loader import PluginPackage, call_with_known, construct, preload
from mixpeek.host.patience import Pace


class ExtractorConfig:
    """What `extractor_request.extractor_config` holds."""

    def __init__(self, name: str, version: str, parameters: dict[str, Any]) -> None:
        self.feature_extractor_name = name
        self.version = version
        self.parameters = parameters


class ExtractorRequest:
    """The first argument of build_steps; parameters are reachable by both documented paths."""

    def __init__(self, name: str, version: str, parameters: dict[str, Any]) -> None:
        self.extractor_config = ExtractorConfig(name, version, parameters)
        self.parameters = parameters


class Step:
    """One step of a built pipeline."""

    # Called once with all rows of a run, and never makes several of one.
    takes_all = False

    def __init__(self, index: int, item: Any) -> None:
        self.index = index
        self.definition = item if isinstance(item, StepDefinition) else None
        self.pace = Pace()
        self._processor: Any = None
        if self.definition is None:
            if not callable(item):
                raise invalid(f"build_steps: step {index} is a {type(item).__name__}, which cannot be called")
            self.name = str(getattr(item, "__name__", type(item).__name__))
            self.resource_type, self.condition, self.enabled = ResourceType.CPU, RowCondition.ALWAYS, True
            self._factory = item if isinstance(item, type) else None
            self._processor = None if self._factory else item
            self._config: Any = None
        else:
            self.name = self.definition.name
            self.resource_type, self.condition = self.definition.resource_type, self.definition.condition
            self.enabled = bool(self.definition.enabled)
            self._factory, self._config = self.definition.service_class, self.definition.config

    @property
    def label(self) -> str:
        """How an error names this step."""
        return f"steps[{self.index}] {self.name}"

    def processor(self) -> Any:
        """Return the step's callable, made on first use."""
        if self._processor is None and self._factory is not None:
            self._processor = construct(self._factory, self._config)
            if not callable(self._processor):
                raise invalid(f"{self.name} has no __call__, so it cannot process a batch", self.label)
        return self._processor

    def renew(self) -> None:
        """Have the processor made anew: the one there is was interrupted in the middle of a call."""
        if self._factory is not None:
            self._processor = None

    def wire(self) -> dict[str, Any]:
        """Return the step as it is described on the socket."""
        return {
            "index": self.index,
            "name": self.name,
            "resource_type": self.resource_type.value,
            "condition": self.condition.value,
            "enabled": self.enabled,
        }


class Prepare(Step):
    """What a pipeline does once with the rows of a run, before its first step; None returned means the rows given."""

    takes_all = True

    def __init__(self, function: Callable[[Any], Any], package: PluginPackage) -> None:
        def prepare(rows: Any) -> Any:
            prepared = package.settle(function(rows))
            return rows if prepared is None else prepared

        super().__init__(-1, prepare)

    @property
    def label(self) -> str:
        """How an error names it."""
        return "prepare"


class Pipeline(list[Step]):
    """The steps of a built pipeline; `prepare` comes before them, None if it would return its rows as they are."""

    prepare: Prepare | None = None


def build_steps(package: PluginPackage, parameters: dict[str, Any], name: str, version: str) -> Pipeline:
    """Call the plugin's build_steps and return its pipeline; what it raises passes through."""
    module = package.load("pipeline")
    function = getattr(module, "build_steps", None)
    if not callable(function):
        raise invalid("pipeline.py has no function build_steps")
    request = ExtractorRequest(name, version, parameters)
    known: dict[str, Any] = {"container": Container(), "base_steps": [], "parameters": parameters}
    built = package.settle(call_with_known(function, request, known))
    items = built.get("steps") if isinstance(built, Mapping) else built
    if not isinstance(items, (list, tuple)):
        raise invalid(f"build_steps returned {_shape(built)}; return {{'steps': [...]}}")
    pipeline = Pipeline(Step(index, item) for index, item in enumerate(items))
    prepare = built.get("prepare") if isinstance(built, Mapping) else None
    if prepare is not None:
        if not callable(prepare):
            raise invalid(f"build_steps: 'prepare' is a {type(prepare).__name__}, which cannot be called", "prepare")
        pipeline.prepare = None if _is_identity(prepare) else Prepare(prepare, package)
    return pipeline


def _is_identity(function: Any) -> bool:
    """Tell whether a function is `lambda rows: rows`, as in the documented example: a call would copy for nothing."""
    code, same = getattr(function, "__code__", None), _unchanged.__code__
    return code is not None and (code.co_code, code.co_argcount) == (same.co_code, same.co_argcount)


def _unchanged(rows: Any) -> Any:
    return rows


def warm(steps: list[Step], package: PluginPackage) -> None:
    """Make the processors of every enabled step; raise Failure naming the step that could not be made."""
    for step in steps:
        if not step.enabled:
            continue
        try:
            preload(step.processor())
        except Exception as error:
            raise failure_from(error, package.root, step=step.label) from error


def _shape(built: Any) -> str:
    if isinstance(built, Mapping):
        return f"a dict whose 'steps' is a {type(built.get('steps')).__name__}"
    return f"a {type(built).__name__}"
