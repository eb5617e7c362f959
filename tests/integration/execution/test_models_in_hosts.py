"""Models in real hosts: those given can be read and nothing else, and nothing can be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mixpeek.errors import PluginRaised
from mixpeek.execution.port import ModelMount

REALTIME = """
    import os
    from pathlib import Path
    from engine.models import is_hf_model_cached, load_hf_model, load_namespace_model, model_path

    class RealtimeHandler:
        def predict(self, request):
            folder = model_path("org/plain")
            refused = {}
            for what, act in {
                "append": lambda: open(folder / "config.json", "a"),
                "create": lambda: open(folder / "new", "w"),
                "remove": lambda: os.unlink(folder / "config.json"),
                "chmod": lambda: os.chmod(folder / "config.json", 0o777),
                "beside": lambda: os.mkdir("/models/other"),
            }.items():
                try:
                    act()
                    refused[what] = "allowed"
                except OSError as error:
                    refused[what] = error.strerror
            return {
                "config": load_hf_model("org/plain")["config"],
                "weights": load_namespace_model("net_1_0_0")["w"].tolist(),
                "folder": str(folder),
                "models": sorted(os.listdir("/models")),
                "refused": refused,
                "data_dir": os.path.exists(request["data_dir"]),
            }
"""


@pytest.fixture
def mounts(tmp_path: Path) -> tuple[ModelMount, ...]:
    import numpy as np
    from safetensors.numpy import save_file

    plain, net = tmp_path / "data" / "aaaa", tmp_path / "data" / "bbbb"
    for folder in (plain, net, tmp_path / "data" / "cccc"):
        folder.mkdir(parents=True)
    (plain / "config.json").write_text('{"model_type": "plain"}')
    save_file({"w": np.array([1.0, 2.0], dtype=np.float32)}, net / "net.safetensors")
    (net / "net.safetensors").chmod(0o644)
    return (
        ModelMount("hub:org/plain", plain, "huggingface"),
        ModelMount("namespace:net_1_0_0", net, "safetensors"),
        ModelMount("hub:org/same", plain, "huggingface"),
    )


def test_a_host_reads_its_models_and_can_change_nothing(
    start: Any, mounts: tuple[ModelMount, ...], tmp_path: Path
) -> None:
    host = start(realtime=REALTIME, models=mounts)

    reply = host.predict({"data_dir": str(tmp_path / "data")}, {})

    assert reply["config"] == {"model_type": "plain"}
    assert reply["weights"] == [1.0, 2.0]
    assert reply["folder"] == "/models/aaaa"
    assert reply["models"] == ["aaaa", "bbbb"]
    assert "allowed" not in reply["refused"].values(), reply["refused"]
    assert reply["refused"]["create"] == "Read-only file system"
    assert reply["data_dir"] is False


def test_a_host_without_models_is_told_what_to_declare(start: Any) -> None:
    host = start(realtime=REALTIME)

    with pytest.raises(PluginRaised, match=r"add `models = \['org/plain'\]`") as raised:
        host.predict({}, {})

    assert raised.value.details["exception"] == "ModelUnavailable"


LAZY = """
    from engine.models import LazyModelMixin

    class RealtimeHandler(LazyModelMixin):
        model_id = "net_1_0_0"
        model_source = "namespace"

        def _instantiate_model(self, cached_data):
            return cached_data["w"], None

        def predict(self, request):
            loaded_before = "_lazy_pair" in self.__dict__
            return {"loaded_before": loaded_before, "sum": float(self.model.sum())}
"""


def test_warming_up_loads_a_lazy_model_before_the_first_request(start: Any, mounts: tuple[ModelMount, ...]) -> None:
    host = start(realtime=LAZY, models=mounts)

    host.warmup()

    assert host.predict({}, {}) == {"loaded_before": True, "sum": 3.0}


def test_a_lazy_model_that_is_not_there_fails_the_warm_up(start: Any) -> None:
    with pytest.raises(PluginRaised, match="the model 'net_1_0_0' is not available"):
        start(realtime=LAZY).warmup()
