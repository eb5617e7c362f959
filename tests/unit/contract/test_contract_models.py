"""Naming models in a manifest, and loading them as plugin code does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import engine.models
import engine.models.lazy
import engine.models.loader
import shared.models.loader
from engine.inference.services import BaseBatchInferenceService
from engine.models import (
    LazyModelMixin,
    is_hf_model_cached,
    lazy_model,
    load_hf_model,
    load_namespace_model,
    model_path,
)
from factories.minilm import minilm_files
from mixpeek.contract import model_loading
from mixpeek.contract.manifest import Manifest
from mixpeek.contract.model_loading import ModelUnavailable, load_once
from mixpeek.contract.model_references import parse_reference


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Folders of models, as a host finds them, and nothing loaded yet."""
    folders = {"hub:org/plain": "huggingface", "hub:org/minilm": "huggingface", "namespace:net_1_0_0": "safetensors"}
    places = {}
    for place, (key, form) in enumerate(folders.items()):
        (tmp_path / str(place)).mkdir()
        places[key] = {"path": str(tmp_path / str(place)), "format": form}
    weights = {"layer": np.ones((2, 2), dtype=np.float32), "count": np.zeros(1, dtype=np.int64)}
    save_file(weights, tmp_path / "0" / "model-00001.safetensors")
    save_file({"more": np.ones(3, dtype=np.float32)}, tmp_path / "0" / "model-00002.safetensors")
    (tmp_path / "0" / "config.json").write_text('{"model_type": "plain"}')
    for name, content in minilm_files().items():
        (tmp_path / "1" / name).write_bytes(content)
    save_file(weights, tmp_path / "2" / "net.safetensors")
    monkeypatch.setenv("MIXPEEK_MODELS", json.dumps(places))
    monkeypatch.setattr(model_loading, "_loaded", {})
    return {key: Path(place["path"]) for key, place in places.items()}


@pytest.mark.parametrize("text", ["org/name", "org/name@v1.0", "org/name@refs/pr/1", "namespace://my-model_1_0_0"])
def test_a_reference_reads_back_as_it_was_written(text: str) -> None:
    assert str(parse_reference(text)) == text


@pytest.mark.parametrize(
    "text",
    ["name", "../x", "a/b/c", "org/name@", "org/name@../x", "namespace://x", "namespace://a/b_1_0_0", "/a/b", ""],
)
def test_anything_else_is_refused_with_the_form_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_reference(text)


def test_a_manifest_names_each_model_once() -> None:
    fields = {"feature_extractor_name": "words", "version": "1.0.0"}

    assert Manifest(**fields, models=["org/a", "org/b@v1"]).models == ["org/a", "org/b@v1"]
    with pytest.raises(ValueError, match="org/a is named twice"):
        Manifest(**fields, models=["org/a", "org/a@v1"])


def test_the_documented_doors_lead_to_the_same_functions() -> None:
    assert engine.models.load_hf_model is engine.models.loader.load_hf_model
    assert engine.models.LazyModelMixin is engine.models.lazy.LazyModelMixin
    assert shared.models.loader.load_namespace_model is engine.models.load_namespace_model


def test_the_model_doors_import_nothing_heavy() -> None:
    code = (
        "import sys, engine.models, shared.models.loader, engine.inference.services\n"
        "print([m for m in ('numpy', 'pydantic', 'torch', 'safetensors', 'onnxruntime') if m in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"


def test_a_hub_model_is_the_documented_dictionary(models: dict[str, Path]) -> None:
    cached = load_hf_model(hf_model_id="org/plain", torch_dtype="float16")

    assert cached["config"] == {"model_type": "plain"}
    assert cached["tokenizer_config"] == {"tokenizer_dir": str(models["hub:org/plain"]), "class": "AutoTokenizer"}
    assert (cached["model_class"], cached["hf_model_id"]) == ("AutoModel", "org/plain")
    assert {name: array.dtype.name for name, array in cached["state_dict"].items()} == {
        "layer": "float16",
        "count": "int64",
        "more": "float16",
    }
    assert load_hf_model("org/plain", torch_dtype="float16")["state_dict"] is cached["state_dict"]
    assert is_hf_model_cached("org/plain")
    assert load_hf_model("org/plain", tokenizer_class=None)["tokenizer_config"] is None


def test_a_hub_model_without_safetensors_says_where_its_files_are() -> None:
    cached = load_hf_model("org/minilm")

    with pytest.raises(ModelUnavailable, match="model_dir"):
        cached["state_dict"]
    assert (Path(cached["model_dir"]) / "tokenizer.json").is_file()


def test_namespace_weights_are_tensors() -> None:
    weights = load_namespace_model("net_1_0_0")

    assert weights["layer"].shape == (2, 2)
    assert load_namespace_model("net_1_0_0") is weights


def test_a_missing_model_names_its_repair() -> None:
    assert not is_hf_model_cached("org/other")
    with pytest.raises(ModelUnavailable, match=r"add `models = \['org/other'\]` to manifest.py"):
        load_hf_model("org/other")
    with pytest.raises(ModelUnavailable, match="deploy the model"):
        load_namespace_model("other_1_0_0")
    with pytest.raises(ValueError, match="torch_dtype is 'int4'"):
        load_hf_model("org/plain", torch_dtype="int4")


def test_a_missing_library_names_the_dependency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'safetensors'.*`dependencies`"):
        load_namespace_model("net_1_0_0")


def test_threads_load_a_model_once_and_a_failure_is_tried_again() -> None:
    calls: list[int] = []

    def load() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("not yet")
        time.sleep(0.05)
        return len(calls)

    with pytest.raises(OSError, match="not yet"):
        load_once("key", load)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(load_once("key", load))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [2] * 8


def test_the_mixin_loads_on_first_use_and_shares_between_instances() -> None:
    class Embedder(LazyModelMixin, BaseBatchInferenceService):
        model_id = "org/minilm"

        def __init__(self, config: Any, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.config = config

        def _process_batch(self, batch: Any) -> Any:
            session, tokenizer = self.get_model()
            return [session.get_inputs()[0].name, len(tokenizer.encode("hello").ids)]

    first, second = Embedder(None), Embedder(None)
    assert "_lazy_pair" not in first.__dict__

    assert first(["x"]) == ["input_ids", 3]
    assert second.model is first.model
    assert first.tokenizer is not None


def test_an_override_makes_its_own_model_of_the_weights() -> None:
    class Net(LazyModelMixin):
        model_id = "net_1_0_0"
        model_source = "namespace"

        def _instantiate_model(self, cached_data: Any) -> tuple[Any, Any]:
            return cached_data["layer"].sum(), None

    class Unfinished(LazyModelMixin):
        model_id = "net_1_0_0"
        model_source = "namespace"

    assert Net().get_model() == (4.0, None)
    with pytest.raises(ModelUnavailable, match="override `_instantiate_model`"):
        Unfinished().get_model()
    with pytest.raises(ValueError, match="sets no model_id"):
        LazyModelMixin().get_model()


def test_the_decorator_sets_what_is_documented() -> None:
    class Processor:
        def __init__(self) -> None:
            self._model = None
            self._tokenizer = None

        @lazy_model(model_id="org/minilm", tokenizer_class=None)
        def __call__(self, batch: list[int], scale: int = 1) -> Any:
            """Double."""
            return self._model is not None, self._tokenizer, self._device, [n * scale for n in batch]  # type: ignore[attr-defined]

    made = Processor()

    assert made([1, 2], scale=2) == (True, None, "cpu", [2, 4])
    assert Processor.__call__.__doc__ == "Double."
    assert model_path("org/minilm").is_dir()
