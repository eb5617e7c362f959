"""The documented ways to write a plugin, described by a real host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from mixpeek.contract.manifest import Manifest
from mixpeek.errors import PluginRaised, PluginReplyInvalid
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.port import HostSpec

StartHost = Callable[..., BlockingHost]
S2_SAMPLE = Path(__file__).parents[2] / "contract" / "s2_sample" / "my_extractor"


def test_the_documented_sample_is_described_and_built_as_it_stands(start: StartHost) -> None:
    host = start(S2_SAMPLE, name="my_extractor")

    description = host.describe()
    manifest = Manifest.model_validate(description.manifest)
    (step,) = host.build({"threshold": 0.7})

    assert (manifest.feature_extractor_name, manifest.version) == ("my_extractor", "1.0.0")
    assert manifest.input_schema["required"] == ["text"]
    assert manifest.parameter_schema["properties"]["threshold"]["default"] == 0.5
    assert [feature.embedding_dim for feature in manifest.embeddings] == [384]
    assert description.realtime == "predict"
    assert (step.name, step.resource_type, step.condition, step.enabled) == ("MyProcessor", "cpu", "is_text", True)


def test_the_documented_sample_names_the_module_it_lacks_when_called(start: StartHost) -> None:
    host = start(S2_SAMPLE, name="my_extractor")

    with pytest.raises(PluginRaised, match="No module named 'sentence_transformers'") as caught:
        host.run(pa.table({"document_id": ["doc_0"], "data": ["x"], "text": ["x"]}))

    assert [frame["file"] for frame in caught.value.details["frames"]] == ["processors/core.py"] * 2


def test_parameters_the_plugin_refuses_are_its_own_error(start: StartHost) -> None:
    host = start(S2_SAMPLE, name="my_extractor")

    with pytest.raises(PluginRaised, match="ValidationError") as caught:
        host.build({"threshold": "high"})
    assert caught.value.details["frames"][0]["file"] == "pipeline.py"


def test_a_manifest_of_top_level_names_is_described_alike(start: StartHost) -> None:
    manifest = """
    feature_extractor_name = "sample"
    version = "v1"
    description = "Top-level names"
    dependencies = ["numpy"]
    features = [{"feature_type": "embedding", "feature_name": "vector", "embedding_dim": 2, "distance_metric": "dot"}]
    output_schema = {"type": "object"}
    input_mappings = {"text": "body"}
    compute_profile = {"batch_size": 8}
    tier = 1
    HELPER = object()
    """
    host = start(manifest=manifest)

    described = Manifest.model_validate(host.describe().manifest)

    assert (described.feature_extractor_name, described.version) == ("sample", "1.0.0")
    assert described.compute_profile.batch_size == 8
    assert described.input_mappings == {"text": "body"}


def test_unknown_feature_keys_travel_on_so_that_they_can_be_refused(start: StartHost) -> None:
    manifest = """
    feature_extractor_name = "sample"
    version = "v1"
    features = [{"type": "embedding", "name": "vector", "dimensions": 2, "distance": "cosine"}]
    """
    host = start(manifest=manifest)

    assert host.describe().manifest["features"] == [
        {"type": "embedding", "name": "vector", "dimensions": 2, "distance": "cosine"}
    ]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("metadata = {'version': '1'}\nversion = '2'", "declares version twice"),
        ("metadata = 3", "metadata"),
        ("input_schema = int", "give a pydantic model class"),
        ("features = [{'feature_name': object}]", r"manifest\.features\[0\]\.feature_name is a class object"),
        ("features = [{'embedding_dim': float('nan')}]", "not strict JSON"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_where(start: StartHost, manifest: str, message: str) -> None:
    host = start(manifest=manifest)

    with pytest.raises(PluginReplyInvalid, match=message):
        host.describe()


def test_a_folder_without_init_or_with_another_name_works(start: StartHost, write_plugin: Callable[..., Path]) -> None:
    sources = {"pipeline": "from .processors.core import step\ndef build_steps(request): return [step]"}
    plugin = write_plugin(folder="my-plugin 2", **sources, **{"processors/core": "def step(batch): return batch"})

    assert [step.name for step in start(plugin, name="my_plugin_2").build()] == ["step"]


def test_a_package_with_init_files_works_and_modules_import_without_dots(
    start: StartHost, write_plugin: Callable[..., Path]
) -> None:
    pipeline = (
        "from manifest import VALUE\nfrom sample.manifest import VALUE as same\ndef build_steps(request): return []"
    )
    plugin = write_plugin(manifest="VALUE = 1", pipeline=pipeline, __init__="READY = True")

    assert start(plugin).build() == ()


def test_a_plugins_tests_run_inside_the_sandbox(
    execution: BlockingExecution, write_plugin: Callable[..., Path]
) -> None:
    tests = """
    import os
    import pytest
    from sample.pipeline import Processor

    def test_the_package_imports(): assert Processor({}).config == {}
    def test_there_is_scratch(tmp_path): (tmp_path / "x").write_text("x")
    def test_no_process_starts():
        with pytest.raises(PermissionError): os.fork()
    """
    result = execution.pytest(HostSpec(write_plugin(**{"tests/test_sample": tests}), "sample"))

    assert result.exit_code == 0, result.output
    assert "3 passed" in result.output


def test_failing_tests_end_with_pytests_own_exit_code(
    execution: BlockingExecution, write_plugin: Callable[..., Path]
) -> None:
    tests = "def test_it():\n    assert 1 == 2, 'not equal'\n"

    failed = execution.pytest(HostSpec(write_plugin(**{"tests/test_sample": tests, "__init__": ""}), "sample"))
    none = execution.pytest(HostSpec(write_plugin(folder="untested"), "sample"))

    assert (failed.exit_code, none.exit_code) == (1, 5)
    assert "not equal" in failed.output
