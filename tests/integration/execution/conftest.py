"""Plugins written from source text, and real hosts in the real sandbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from factories.kept_hosts import KeptHosts
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.port import HostSpec
from mixpeek.execution.sandbox import probe

WritePlugin = Callable[..., Path]
StartHost = Callable[..., BlockingHost]

MANIFEST = """
    metadata = {"feature_extractor_name": "sample", "version": "1.0.0", "description": "A sample"}
    input_schema = output_schema = {"type": "object"}
    features = [
        {"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 2, "distance_metric": "cosine"},
    ]
"""
PIPELINE = """
    from engine.plugins.extractors.pipeline import PipelineDefinition, StepDefinition, build_pipeline_steps

    class Processor:
        def __init__(self, config, progress_actor=None):
            self.config = config

        def __call__(self, batch):
            batch["vector"] = [[float(len(text)), 1.0] for text in batch["data"]]
            return batch

    def build_steps(extractor_request, container=None, base_steps=None, **kwargs):
        steps = [StepDefinition(service_class=Processor, config=extractor_request.parameters)]
        pipeline = PipelineDefinition(name="sample", version="1.0.0", steps=steps)
        return {"steps": (base_steps or []) + build_pipeline_steps(pipeline), "prepare": lambda rows: rows}
"""


@pytest.fixture(scope="session")
def execution() -> Iterator[BlockingExecution]:
    """Hosts of this process; with MIXPEEK_TEST_HOSTS, `near` or `far`, of keepers that are reached as in a cluster."""
    assert probe().mode == "bubblewrap", probe().detail
    kept = os.environ.get("MIXPEEK_TEST_HOSTS")
    with BlockingExecution(KeptHosts(is_far=kept == "far") if kept else None) as running:
        yield running


@pytest.fixture
def write_plugin(tmp_path: Path) -> WritePlugin:
    def write(folder: str = "sample", **sources: str) -> Path:
        root = tmp_path / folder
        files = {"manifest": MANIFEST, "pipeline": PIPELINE, **sources}
        for name, source in files.items():
            path = root / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(source))
        return root

    return write


@pytest.fixture
def start(execution: BlockingExecution, write_plugin: WritePlugin) -> Iterator[StartHost]:
    hosts: list[BlockingHost] = []

    def start_host(plugin: Path | None = None, *, name: str = "sample", **options: Any) -> BlockingHost:
        sources = {key: options.pop(key) for key in list(options) if isinstance(options[key], str)}
        root = plugin or write_plugin(**sources)
        hosts.append(execution.start(HostSpec(root, name, **options)))
        return hosts[-1]

    yield start_host
    for host in hosts:
        host.close()
