"""Imports a plugin's modules as one package, whatever its folder is called, and calls them with what they take.

Works with and without `__init__.py`; the folder also stands last on `sys.path`, for authors who import without dots.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mixpeek.contract.container import Container
from mixpeek.contract.progress import ProgressActor
from mixpeek.host.failures import RAISED, Failure
from mixpeek.host.records import place

if TYPE_CHECKING:
    import asyncio

_RESERVED = {"mixpeek", "engine", "shared"}


class PluginPackage:
    """The package `name`, read from the folder `root`; nothing is imported before it is asked for."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self._loop: asyncio.AbstractEventLoop | None = None

    def mount(self) -> None:
        """Make the package importable under its name; raise Failure if that name belongs to another module."""
        if self.name in sys.modules and getattr(sys.modules[self.name], "__path__", None) == [str(self.root)]:
            return
        if self.name in _RESERVED or self.name in sys.stdlib_module_names or self.name in sys.modules:
            message = f"a package called {self.name!r} would hide the Python module of that name; rename the plugin"
            raise Failure(RAISED, message, exception="ImportError")
        # Bundled code that another finder would pick up first stays reachable, but never shadows ours.
        if str(self.root) not in sys.path:
            sys.path.append(str(self.root))
        init = self.root / "__init__.py"
        if not init.is_file():
            module = ModuleType(self.name)
            module.__path__ = [str(self.root)]
            sys.modules[self.name] = module
            return
        spec = importlib.util.spec_from_file_location(self.name, init, submodule_search_locations=[str(self.root)])
        if spec is None or spec.loader is None:
            raise Failure(RAISED, f"{init.name} cannot be imported", exception="ImportError")
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[self.name]
            raise

    def has(self, module: str) -> bool:
        """Whether the plugin has this top-level module."""
        return (self.root / f"{module}.py").is_file() or (self.root / module / "__init__.py").is_file()

    def load(self, module: str) -> ModuleType:
        """Import one of the plugin's modules; what it raises passes through."""
        self.mount()
        if not self.has(module):
            raise Failure(RAISED, f"the plugin has no {module}.py", exception="ModuleNotFoundError")
        return importlib.import_module(f"{self.name}.{module}")

    def settle(self, value: Any) -> Any:
        """Return a value, or what an awaitable value comes to."""
        if type(value) is dict or not inspect.isawaitable(value):  # asking costs more than a short call
            return value
        if self._loop is None:
            import asyncio  # a third of a host's start, for the few plugins that are async

            self._loop = asyncio.new_event_loop()

        async def wait() -> Any:
            return await value

        task: Coroutine[Any, Any, Any] = wait()
        return self._loop.run_until_complete(task)


def preload(instance: Any) -> None:
    """Load the model of an instance that would load it on its first call, as classes with `LazyModelMixin` do."""
    load = getattr(instance, "ensure_model_loaded", None)
    if callable(load):
        load()


def call_with_known(function: Callable[..., Any], first: Any, known: Mapping[str, Any]) -> Any:
    """Call `function(first, ...)` with those of the `known` arguments that its signature names."""
    parameters = list(inspect.signature(function).parameters.values())
    named = {
        parameter.name: known[parameter.name]
        for parameter in parameters[1:]
        if parameter.name in known and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    return function(first, **named)


def construct(cls: Callable[..., Any], config: Any) -> Any:
    """Make a processor or handler, with those of `config`, `container` and `progress_actor` that it takes by name."""
    try:
        parameters = inspect.signature(cls).parameters
    except ValueError:  # a class written in C has no signature
        return cls() if config is None else cls(config)
    given: dict[str, Any] = {}
    if "progress_actor" in parameters:
        given["progress_actor"] = ProgressActor(getattr(cls, "__name__", "progress"), tell=place.note_progress)
    if "container" in parameters:
        given["container"] = Container()
    named = parameters.get("config")
    if named is not None:
        if config is not None or named.default is named.empty:
            given["config"] = config
        return cls(**given)
    return cls(**given) if config is None else cls(config, **given)
