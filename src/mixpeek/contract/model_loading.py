"""Loading models in a plugin host, from the read-only folders that the platform filled before the host started.

Plugins import this through `engine.models` and `shared.models.loader`. Each model is loaded once per process.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

VARIABLE = "MIXPEEK_MODELS"
TORCH_DTYPES = ("float16", "float32", "bfloat16")

_guard = threading.Lock()
_locks: dict[Hashable, threading.Lock] = {}
_loaded: dict[Hashable, Any] = {}


class ModelUnavailable(LookupError):
    """The platform has not put this model where the plugin could read it."""


class LoadedModel(dict[str, Any]):
    """What `load_hf_model` returns: `config`, `tokenizer_config`, `model_dir` and the rest, as documented."""

    def __missing__(self, key: str) -> Any:
        if key == "state_dict":
            raise ModelUnavailable(f"{self['hf_model_id']} has no safetensors weights; its files are in `model_dir`")
        raise KeyError(key)


def load_hf_model(
    hf_model_id: str,
    model_class: str = "AutoModel",
    tokenizer_class: str | None = "AutoTokenizer",
    torch_dtype: str = "float32",
) -> dict[str, Any]:
    """Return a hub model that manifest.py declares in `models`; its weights are read once per process.

    Args:
        hf_model_id: `org/name`, as declared.
        model_class: kept under `model_class`; nothing is made of it here.
        tokenizer_class: the same under `tokenizer_config`; None leaves that out.
        torch_dtype: what floats are turned into: `float32`, `float16` or `bfloat16`.

    Returns: `state_dict` (torch tensors; numpy arrays where torch is not installed), `config`, `tokenizer_config`
        (`tokenizer_dir` and `class`, or None), `model_class`, `hf_model_id`, and `model_dir`, the folder of its files.
    Raises: ModelUnavailable: it is not declared. ModuleNotFoundError: a library is missing in `dependencies`.
    """
    path = model_path(hf_model_id)
    return _load_folder(path, hf_model_id, model_class, tokenizer_class, torch_dtype)


def load_namespace_model(model_id: str) -> Any:
    """Return a model uploaded to this namespace and deployed, or declared in `models` as `namespace://model_id`.

    Returns: by format: safetensors and pytorch a dict of tensors, onnx an `onnxruntime.InferenceSession`, huggingface
        the same as `load_hf_model`.
    Raises: ModelUnavailable, ModuleNotFoundError: as `load_hf_model`.
    """
    entry = _entry(f"namespace:{model_id}", model_id)
    path, form = Path(entry["path"]), entry["format"]
    if form == "huggingface":
        return _load_folder(path, model_id, "AutoModel", "AutoTokenizer", "float32")
    return load_once(("namespace", model_id), lambda: _READERS[form](path))


def is_hf_model_cached(hf_model_id: str) -> bool:
    """Tell whether `load_hf_model` would find the model: manifest.py declares it, and the platform fetched it."""
    return f"hub:{hf_model_id}" in _available()


def model_path(model_id: str) -> Path:
    """Return the read-only folder with the files of a hub model (`org/name`) or of a namespace model.

    Raises: ModelUnavailable: it is not declared, or not deployed.
    """
    key = f"hub:{model_id}" if "/" in model_id else f"namespace:{model_id}"
    return Path(_entry(key, model_id)["path"])


def model_format(model_id: str) -> str:
    """Return a namespace model's format; a hub model is `huggingface`."""
    key = f"hub:{model_id}" if "/" in model_id else f"namespace:{model_id}"
    return str(_entry(key, model_id)["format"])


def load_once(key: Hashable, load: Callable[[], Any]) -> Any:
    """Return what `load` returns, called once per process and key; other threads wait, a failure is tried again."""
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        if key not in _loaded:
            _loaded[key] = load()
        return _loaded[key]


def require(module: str, package: str, why: str) -> Any:
    """Import a library that the plugin must have declared."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        message = f"No module named {error.name!r}: {why}; add {package!r} to `dependencies` in manifest.py"
        raise ModuleNotFoundError(message, name=error.name) from None


def has(module: str) -> bool:
    """Tell whether a library is installed, without importing it."""
    return importlib.util.find_spec(module) is not None


def weight_files(path: Path, suffix: str) -> list[Path]:
    """Return a folder's weights of one kind: those at its top, else those below."""
    return sorted(path.glob(f"*{suffix}")) or sorted(path.rglob(f"*{suffix}"))


def open_onnx(path: Path) -> Any:
    """Return an onnxruntime session over a folder's only .onnx file."""
    onnxruntime = require("onnxruntime", "onnxruntime", "this model is in ONNX format")
    options = onnxruntime.SessionOptions()
    # Replicas, not threads, use the cores.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(_only(path, ".onnx")), options, providers=onnxruntime.get_available_providers()
    )


def _load_folder(
    path: Path, name: str, model_class: str, tokenizer_class: str | None, torch_dtype: str
) -> dict[str, Any]:
    if torch_dtype not in TORCH_DTYPES:
        raise ValueError(f"torch_dtype is {torch_dtype!r}; use {', '.join(TORCH_DTYPES)}")
    model = LoadedModel(
        config=_read_json(path / "config.json"),
        tokenizer_config={"tokenizer_dir": str(path), "class": tokenizer_class} if tokenizer_class else None,
        model_class=model_class,
        hf_model_id=name,
        model_dir=str(path),
    )
    if weight_files(path, ".safetensors"):
        model["state_dict"] = load_once(
            ("weights", str(path), torch_dtype), lambda: _cast(_read_safetensors(path), torch_dtype)
        )
    return model


def _read_safetensors(path: Path) -> dict[str, Any]:
    require("safetensors", "safetensors", "this model's weights are in safetensors format")
    reader = importlib.import_module("safetensors.torch" if has("torch") else "safetensors.numpy")
    weights: dict[str, Any] = {}
    for file in weight_files(path, ".safetensors"):
        weights.update(reader.load_file(str(file)))
    return weights


def _read_pytorch(path: Path) -> Any:
    torch = require("torch", "torch", "this model is in PyTorch format")
    found = [file for suffix in (".pt", ".pth") for file in weight_files(path, suffix)]
    return torch.load(found[0], map_location="cpu", weights_only=True)


def _cast(weights: dict[str, Any], torch_dtype: str) -> dict[str, Any]:
    """Return the weights with their floats in the wanted type; numpy knows no bfloat16 and keeps them as they are."""
    if has("torch"):
        dtype = getattr(importlib.import_module("torch"), torch_dtype)
        return {name: t.to(dtype) if t.is_floating_point() else t for name, t in weights.items()}
    if torch_dtype == "bfloat16":
        return weights
    return {name: a.astype(torch_dtype) if a.dtype.kind == "f" else a for name, a in weights.items()}


def _only(path: Path, suffix: str) -> Path:
    found = weight_files(path, suffix)
    if len(found) != 1:
        raise ModelUnavailable(f"{path} holds {len(found)} {suffix} files, not one; open yours through `model_path`")
    return found[0]


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    value = json.loads(path.read_text(encoding="utf-8"))
    return value if isinstance(value, dict) else {}


def _available() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(os.environ.get(VARIABLE) or "{}")
    return found


def _entry(key: str, name: str) -> dict[str, str]:
    available = _available()
    if key in available:
        return available[key]
    if key.startswith("hub:"):
        repair = (
            f"add `models = [{name!r}]` to manifest.py, publish and deploy again;"
            f" `mixpeek model pull {name}` makes it available to `mixpeek plugin test`"
        )
    else:
        repair = (
            f"deploy the model, or add `models = ['namespace://{name}']` to manifest.py, then deploy the plugin again"
        )
    raise ModelUnavailable(f"the model {name!r} is not available to this plugin: {repair}")


_READERS: dict[str, Callable[[Path], Any]] = {
    "safetensors": _read_safetensors,
    "pytorch": _read_pytorch,
    "onnx": open_onnx,
}
