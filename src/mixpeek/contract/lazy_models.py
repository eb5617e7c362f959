"""Models that load on first use: a mixin and a decorator for plugin classes.

Plugins import them through `engine.models` and `engine.models.lazy`; the files come from `contract.model_loading`.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from mixpeek.contract.model_loading import (
    TORCH_DTYPES,
    ModelUnavailable,
    has,
    load_hf_model,
    load_namespace_model,
    load_once,
    model_format,
    model_path,
    open_onnx,
    require,
    weight_files,
)

Source = Literal["huggingface", "namespace"]
Method = TypeVar("Method", bound=Callable[..., Any])


class LazyModelMixin:
    """Loads `model_id` when it is first asked for; override `_instantiate_model` for weights of one's own classes.

    A subclass sets `model_id`, and where they differ `model_class` and `tokenizer_class` (names in transformers; None
    for no tokenizer), `torch_dtype` (`float32`, `float16`, `bfloat16`) and `model_source`: `huggingface`, a hub
    model that manifest.py declares, or `namespace`, one uploaded there. A model is loaded once per process.
    """

    model_id: str = ""
    model_class: str = "AutoModel"
    tokenizer_class: str | None = "AutoTokenizer"
    torch_dtype: str = "float32"
    model_source: Source = "huggingface"

    def get_model(self) -> tuple[Any, Any]:
        """Return the model and its tokenizer (None if it has none), loading them if need be.

        Raises: ModelUnavailable: manifest.py does not declare it. ValueError: `model_id` is not set.
        """
        self.ensure_model_loaded()
        pair: tuple[Any, Any] = self.__dict__["_lazy_pair"]
        return pair

    def ensure_model_loaded(self) -> None:
        """Load the model unless it is loaded."""
        # The mixin has no `__init__` that an author would have to call; `setdefault` is atomic.
        with self.__dict__.setdefault("_lazy_lock", threading.Lock()):
            if "_lazy_pair" not in self.__dict__:
                self.__dict__["_lazy_pair"] = self._load()

    @property
    def model(self) -> Any:
        """The model, loaded if need be: one of transformers, or an onnxruntime session."""
        return self.get_model()[0]

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, loaded if need be; None if the model has none."""
        return self.get_model()[1]

    def _instantiate_model(self, cached_data: Any) -> tuple[Any, Any]:
        """Return (model, tokenizer) made of what `load_hf_model` or `load_namespace_model` returned."""
        raise NotImplementedError  # never called: without an override the model is made from its files, see `_load`

    def _detect_device(self) -> str:
        return detect_device()

    def _load(self) -> tuple[Any, Any]:
        if not self.model_id:
            raise ValueError(f"{type(self).__name__} sets no model_id")
        if type(self)._instantiate_model is LazyModelMixin._instantiate_model:
            return instantiate(
                self.model_id, self.model_class, self.tokenizer_class, self.torch_dtype, self.model_source
            )
        if self.model_source == "namespace":
            return self._instantiate_model(load_namespace_model(self.model_id))
        return self._instantiate_model(
            load_hf_model(self.model_id, self.model_class, self.tokenizer_class, self.torch_dtype)
        )


def lazy_model(
    model_id: str,
    model_class: str = "AutoModel",
    tokenizer_class: str | None = "AutoTokenizer",
    torch_dtype: str = "float32",
    model_source: Source = "huggingface",
) -> Callable[[Method], Method]:
    """Have `self._model`, `self._tokenizer` and `self._device` set before the method first runs.

    Args:
        model_id: `org/name` of the hub, or the name of a namespace's model, as manifest.py declares it.
        model_class: class of transformers that it is made with.
        tokenizer_class: the same of its tokenizer; None for no tokenizer.
        torch_dtype: `float32`, `float16` or `bfloat16`.
        model_source: `huggingface` or `namespace`.

    Raises: ModelUnavailable: when the method first runs, if manifest.py does not declare the model.
    """

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def with_model(self: Any, *args: Any, **kwargs: Any) -> Any:
            if getattr(self, "_model", None) is None:
                model, self._tokenizer = instantiate(model_id, model_class, tokenizer_class, torch_dtype, model_source)
                self._device = detect_device()
                self._model = model  # last: another thread takes it for all three
            return method(self, *args, **kwargs)

        return with_model  # type: ignore[return-value]  # the same signature, which `wraps` cannot say

    return decorate


def instantiate(
    model_id: str, model_class: str, tokenizer_class: str | None, torch_dtype: str, source: Source
) -> tuple[Any, Any]:
    """Return (model, tokenizer), made once per process: of transformers, or an onnxruntime session."""
    if source not in ("huggingface", "namespace"):
        raise ValueError(f"model_source is {source!r}; use huggingface or namespace")
    if torch_dtype not in TORCH_DTYPES:
        raise ValueError(f"torch_dtype is {torch_dtype!r}; use {', '.join(TORCH_DTYPES)}")
    path, form = model_path(model_id), model_format(model_id)

    def make() -> tuple[Any, Any]:
        if form in ("safetensors", "pytorch"):
            raise ModelUnavailable(f"{model_id!r} is weights only: override `_instantiate_model` to make the model")
        if weight_files(path, ".safetensors"):
            return _of_transformers(path, model_class, tokenizer_class, torch_dtype)
        return open_onnx(path), _fast_tokenizer(path) if tokenizer_class else None

    made: tuple[Any, Any] = load_once(("instance", str(path), model_class, tokenizer_class, torch_dtype), make)
    return made


def detect_device() -> str:
    """Return `cuda`, `mps` or `cpu`, the best that torch can use here."""
    if not has("torch"):
        return "cpu"
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _of_transformers(path: Path, model_class: str, tokenizer_class: str | None, torch_dtype: str) -> tuple[Any, Any]:
    torch = require("torch", "torch", "the model runs on it")
    transformers = require("transformers", "transformers", "the model is one of its classes")
    model = getattr(transformers, model_class).from_pretrained(
        str(path), torch_dtype=getattr(torch, torch_dtype), use_safetensors=True, local_files_only=True
    )
    model.to(detect_device())
    model.eval()
    if tokenizer_class is None:
        return model, None
    return model, getattr(transformers, tokenizer_class).from_pretrained(str(path), local_files_only=True)


def _fast_tokenizer(path: Path) -> Any:
    file = path / "tokenizer.json"
    if not file.is_file():
        return None
    return require("tokenizers", "tokenizers", "the model has a tokenizer.json").Tokenizer.from_file(str(file))
