"""The base class of realtime handlers in the `InferenceService` style.

Plugins import it through `shared.plugins.inference.serve`; calling a handler belongs to the host.
"""

from __future__ import annotations

from typing import Any


class BaseInferenceService:
    """A realtime handler: override `run_inference`, or `__call__` itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs

    async def run_inference(self, inputs: dict[str, Any], parameters: dict[str, Any]) -> Any:
        """Return the result for one request, as something JSON can say."""
        raise NotImplementedError(f"{type(self).__name__} overrides neither run_inference nor __call__")

    async def __call__(self, inputs: dict[str, Any], parameters: dict[str, Any]) -> Any:
        return await self.run_inference(inputs, parameters)


class BaseBatchInferenceService:
    """A batch processor: override `_process_batch`, or `__call__` itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs

    def _process_batch(self, batch: Any) -> Any:
        """Return the DataFrame with the new columns, the same rows in the same order."""
        raise NotImplementedError(f"{type(self).__name__} overrides neither _process_batch nor __call__")

    def __call__(self, batch: Any) -> Any:
        return self._process_batch(batch)
