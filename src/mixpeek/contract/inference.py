"""The base class of realtime handlers in the `InferenceService` style.

Plugins import it through `shared.plugins.inference.serve`; calling a handler belongs to the host.
"""

from __future__ import annotations

from typing import Any


class BaseInferenceService:
    """A realtime handler: override `run_inference`, or `__call__` itself.

    The class in realtime.py is made once per replica, when that starts: load what takes long in `__init__` or on the
    first call. It is called from one thread.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs

    async def run_inference(self, inputs: dict[str, Any], parameters: dict[str, Any]) -> Any:
        """Return the result for one request.

        Args:
            inputs: the request's `inputs`, as sent.
            parameters: the request's `parameters`, `{}` if none were sent.

        Returns: something JSON can say. A vector stands under its feature's name, or under `embedding`, as a list of
            `embedding_dim` finite numbers.
        """
        raise NotImplementedError(f"{type(self).__name__} overrides neither run_inference nor __call__")

    async def __call__(self, inputs: dict[str, Any], parameters: dict[str, Any]) -> Any:
        return await self.run_inference(inputs, parameters)


class BaseBatchInferenceService:
    """A batch processor: override `_process_batch`, or `__call__` itself.

    A processor is made once per host and called with one DataFrame after another. A subclass is found by
    `get_batch_service` under its class name, or under `service_name` if it sets one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs

    def _process_batch(self, batch: Any) -> Any:
        """Return a batch with new columns.

        Args:
            batch: a DataFrame of at most `compute_profile.batch_size` rows, index 0, 1, 2 …

        Returns: the DataFrame, the same rows in the same order. A column named like a feature is that feature; a vector
            is a list or an array of `embedding_dim` finite numbers, None for a row that has none.
        """
        raise NotImplementedError(f"{type(self).__name__} overrides neither _process_batch nor __call__")

    def __call__(self, batch: Any) -> Any:
        return self._process_batch(batch)


class ServiceUnknown(LookupError):
    """No batch service has this name here."""


def get_batch_service(name: str) -> type[BaseBatchInferenceService]:
    """Return the batch service of this plugin with this `service_name`, or else of this class name.

    Those whose modules were imported are known.

    Raises: ServiceUnknown: none has this name; the message lists those there are.
    """
    known = {known_as: cls for cls in _services(BaseBatchInferenceService) for known_as in _names(cls)}
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise ServiceUnknown(
            f"there is no batch service {name!r}; this plugin defines {there}. Only its own are found, and those of"
            " packages it imports; load a model with engine.models.load_hf_model"
        )
    return known[name]


def _services(base: type[BaseBatchInferenceService]) -> list[type[BaseBatchInferenceService]]:
    return [found for cls in base.__subclasses__() for found in (cls, *_services(cls))]


def _names(cls: type[BaseBatchInferenceService]) -> tuple[str, ...]:
    given = vars(cls).get("service_name")
    return (cls.__name__, given) if isinstance(given, str) else (cls.__name__,)
