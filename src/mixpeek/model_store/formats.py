"""Whether a folder of files is a model of the format it was uploaded as; nothing in it is loaded or run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path, PurePosixPath

from mixpeek.inspection.findings import Finding, error
from mixpeek.model_store.onnx_file import fault_of_onnx
from mixpeek.model_store.safetensors_file import fault_of_safetensors
from mixpeek.model_store.torch_file import fault_of_torch


class ModelFormat(StrEnum):
    """The documented formats."""

    SAFETENSORS = "safetensors"
    ONNX = "onnx"
    PYTORCH = "pytorch"
    HUGGINGFACE = "huggingface"


SUFFIXES = {
    ModelFormat.SAFETENSORS: (".safetensors",),
    ModelFormat.ONNX: (".onnx",),
    ModelFormat.PYTORCH: (".pt", ".pth"),
    ModelFormat.HUGGINGFACE: (".safetensors", ".onnx"),
}
# What may lie beside weights: words about them, and tokenizers.
_BESIDE = (".json", ".txt", ".model", ".md", ".jinja", ".yaml", ".yml", ".tiktoken")
_EXTERNAL_DATA = (".data", ".onnx_data", ".weight")
_NAMES = ("LICENSE", "NOTICE", ".gitattributes", "README")
_MAX_JSON_BYTES = 64 * 1024 * 1024


def is_safe_file(path: str) -> bool:
    """Tell whether a hub's file is of a kind that cannot hold code: weights without pickles, texts, tokenizers."""
    name = PurePosixPath(path)
    return name.suffix.lower() in (".safetensors", ".onnx", *_BESIDE, *_EXTERNAL_DATA) or name.name in _NAMES


def check_model(root: Path, form: ModelFormat) -> list[Finding]:
    """Return everything that keeps the files below `root` from being a model of format `form`."""
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    weights = [path for path in paths if _suffix(path) in SUFFIXES[form]]
    findings = _count(weights, form)
    findings += [
        _finding("model.file_type", path, f"A {form} model does not have such a file", _advice(path))
        for path in paths
        if path not in weights and not _may_accompany(path, form)
    ]
    for path in weights:
        fault = _fault(root, path, paths)
        if fault is not None:
            findings.append(_finding("model.damaged", path, f"`{path}`: {fault}", "Save the model again"))
    if form is ModelFormat.HUGGINGFACE:
        findings += _check_config(root)
    return findings


def check_hub_files(root: Path) -> list[Finding]:
    """Return everything that keeps a hub model's files from being handed to a host."""
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    findings = [
        _finding("model.file_type", path, f"`{path}` is not of a safe kind", _advice(path))
        for path in paths
        if not is_safe_file(path)
    ]
    for path in paths:
        fault = _fault(root, path, paths) if _suffix(path) in (".safetensors", ".onnx") else None
        if fault is not None:
            findings.append(_finding("model.damaged", path, f"`{path}`: {fault}", "Name another revision"))
    return findings


def _count(weights: list[str], form: ModelFormat) -> list[Finding]:
    wanted = " or ".join(SUFFIXES[form])
    if not weights:
        return [
            _finding("model.no_weights", "", f"There is no {wanted} file", "Pack the weights, or name their format")
        ]
    if len(weights) > 1 and form in (ModelFormat.ONNX, ModelFormat.PYTORCH):
        message = f"There are {len(weights)} {wanted} files; it must be clear which one to load"
        return [_finding("model.many_weights", weights[1], message, "Upload each as a model of its own")]
    return []


def _may_accompany(path: str, form: ModelFormat) -> bool:
    if form in (ModelFormat.ONNX, ModelFormat.HUGGINGFACE) and _suffix(path) in _EXTERNAL_DATA:
        return True
    return _suffix(path) in _BESIDE or PurePosixPath(path).name in _NAMES


def _fault(root: Path, path: str, paths: Iterable[str]) -> str | None:
    suffix = _suffix(path)
    if suffix == ".safetensors":
        return fault_of_safetensors(root / path)
    if suffix == ".onnx":
        folder = PurePosixPath(path).parent
        inside = (PurePosixPath(other) for other in paths)
        beside = frozenset(other.relative_to(folder).as_posix() for other in inside if other.is_relative_to(folder))
        return fault_of_onnx(root / path, beside)
    return fault_of_torch(root / path)


def _check_config(root: Path) -> list[Finding]:
    config = root / "config.json"
    if not config.is_file():
        return [_finding("model.no_config", "config.json", "There is no config.json", "Use `save_pretrained(folder)`")]
    try:
        usable = config.stat().st_size <= _MAX_JSON_BYTES and isinstance(json.loads(config.read_bytes()), dict)
    except (ValueError, RecursionError):
        usable = False
    if usable:
        return []
    return [_finding("model.damaged", "config.json", "config.json is no JSON object", "Use `save_pretrained(folder)`")]


def _advice(path: str) -> str:
    if _suffix(path) in (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".h5", ".npy", ".npz"):
        return "It may hold a pickle, which can run code: save it with `save_pretrained(safe_serialization=True)`"
    if _suffix(path) == ".py":
        return "Code belongs into the plugin"
    return "Leave it out"


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _finding(rule: str, path: str, message: str, hint: str) -> Finding:
    return error(rule, message, hint=hint, path=path)
