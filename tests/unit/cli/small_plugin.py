"""A plugin without a model: its vector is made of the text's length."""

from __future__ import annotations

from pathlib import Path

MANIFEST = """
from pydantic import BaseModel

class Input(BaseModel):
    text: str

class Output(BaseModel):
    length_vector: list[float]

class Params(BaseModel):
    scale: float = 1.0

metadata = {"feature_extractor_name": "small_one", "version": "1.2.0", "description": "d", "category": "text"}
input_schema = Input
output_schema = Output
parameter_schema = Params
supported_input_types = ["text"]
features = [
    {"feature_type": "embedding", "feature_name": "length_vector", "embedding_dim": 2, "distance_metric": "cosine"},
]
"""

PIPELINE = """
from engine.plugins.extractors.pipeline import PipelineDefinition, StepDefinition, build_pipeline_steps
from .manifest import metadata

def vector(text):
    return [float(len(text)), 1.0]

class Lengths:
    def __init__(self, config=None):
        pass

    def __call__(self, batch):
        batch["length_vector"] = [vector(text) for text in batch["text"]]
        return batch

def build_steps(extractor_request, **kwargs):
    steps = [StepDefinition(service_class=Lengths)]
    return {"steps": build_pipeline_steps(PipelineDefinition("small_one", metadata["version"], steps))}
"""

REALTIME = """
from .pipeline import vector

class RealtimeHandler:
    def predict(self, request):
        return {"embedding": vector(request["text"])}
"""

TESTS = """
def test_arithmetic():
    assert 1 + 1 == 2
"""


def write_plugin(folder: Path, **replaced: str | None) -> Path:
    """Write the plugin; a keyword such as `pipeline="..."` replaces a file, None leaves it out."""
    texts: dict[str, str | None] = {"manifest": MANIFEST, "pipeline": PIPELINE, "realtime": REALTIME, "test": TESTS}
    texts.update(replaced)
    for name, text in texts.items():
        if text is None:
            continue
        path = folder / ("tests/test_small.py" if name == "test" else f"{name}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    return folder
