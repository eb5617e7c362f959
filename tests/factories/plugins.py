"""Small plugins without a model: a vector counts hashed words, so texts that share words are near."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

MakePlugin = Callable[..., Path]

DIMENSION = 8
FEATURE = "words_vector"

# Also used in place of a model in plugins that are not written here.
EMBEDDING = '''
"""Signed counts of hashed words, of unit length."""

import hashlib

import numpy as np


def embed(text, dimension=8):
    vector = np.zeros(dimension, dtype=np.float32)
    for word in str(text).lower().split():
        digest = hashlib.sha256(word.encode()).digest()
        vector[int.from_bytes(digest[:4], "big") % dimension] += 1.0 if digest[4] % 2 else -1.0
    if not vector.any():
        vector[0] = 1.0
    return vector / np.linalg.norm(vector)
'''

# Schemas as plain JSON: importing pydantic for three small classes took a third of a host's start.
_MANIFEST = """
metadata = {{
    "feature_extractor_name": "{name}",
    "version": "{version}",
    "description": "{description}",
    "category": "text",
}}
input_schema = {{"type": "object", "properties": {{"text": {{"type": "string"}}}}, "required": ["text"]}}
output_schema = {{
    "type": "object",
    "properties": {{"{feature}": {{"type": "array", "items": {{"type": "number"}}}}}},
    "required": ["{feature}"],
}}
parameter_schema = {{"type": "object"}}
supported_input_types = ["text"]
features = {features}
{manifest}
"""

_CORE = """
from ..embedding import embed

DIMENSION = {dimension}
FEATURE = "{feature}"


def column_of(texts):
    return [embed(text, DIMENSION).tolist() for text in texts]


class Processor:
    def __init__(self, config, progress_actor=None):
        self.config = config or {{}}
        self.progress = progress_actor

    def __call__(self, batch):
{batch}
        return batch
"""

PIPELINE = """
from engine.plugins.extractors.pipeline import PipelineDefinition, StepDefinition, build_pipeline_steps

from .manifest import metadata
from .processors.core import Processor


def build_steps(extractor_request, container=None, base_steps=None, **kwargs):
    steps = [StepDefinition(service_class=Processor, config=dict(extractor_request.parameters or {}))]
    pipeline = PipelineDefinition(metadata["feature_extractor_name"], metadata["version"], steps)
    return {"steps": (base_steps or []) + build_pipeline_steps(pipeline), "prepare": lambda ds: ds}
"""

_REALTIME = """
from .embedding import embed


class RealtimeHandler:
    def __init__(self):
{construct}

    def predict(self, request):
{predict}
"""


def write_plugin(
    folder: Path,
    *,
    name: str | None = None,
    version: str = "1.0.0",
    description: str = "Counts words",
    dimension: int = DIMENSION,
    feature: str = FEATURE,
    features: list[dict[str, Any]] | None = None,
    manifest: str = "",
    batch: str = "batch[FEATURE] = column_of(batch['data'])",
    construct: str = "pass",
    predict: str | None = None,
    realtime: bool = True,
    files: Mapping[str, str | None] | None = None,
) -> Path:
    """Write a plugin into `folder` and return it.

    Args:
        name: default the folder's name.
        features: default one cosine embedding called `feature` of `dimension`.
        manifest: further lines of manifest.py.
        batch: body of the processor's `__call__`, which returns `batch` at its end.
        construct, predict: bodies of the realtime handler's methods; `realtime=False` leaves realtime.py out.
        files: further files by path, or replacements; None leaves a file out.
    """
    declared = [
        {"feature_name": feature, "feature_type": "embedding", "embedding_dim": dimension, "distance_metric": "cosine"}
    ]
    reply = f"return {{'embedding': embed(request['text'], {dimension}).tolist()}}"
    texts: dict[str, str | None] = {
        "manifest.py": _MANIFEST.format(
            name=name or folder.name,
            version=version,
            description=description,
            feature=feature,
            features=declared if features is None else features,
            manifest=dedent(manifest),
        ),
        "pipeline.py": PIPELINE,
        "embedding.py": EMBEDDING,
        "processors/core.py": _CORE.format(dimension=dimension, feature=feature, batch=_body(batch)),
        "realtime.py": _REALTIME.format(construct=_body(construct), predict=_body(predict or reply)),
    }
    if not realtime:
        texts["realtime.py"] = None
    texts.update(files or {})
    for path, text in texts.items():
        if text is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(dedent(text).lstrip("\n"))
    return folder


def zip_of(folder: Path, *, top: str | None = None) -> bytes:
    """Return a zip of a folder's files, under the folder `top`; the folder's own name by default, "" for none."""
    prefix = f"{folder.name if top is None else top}/".removeprefix("/")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, prefix + path.relative_to(folder).as_posix())
    return buffer.getvalue()


def _body(code: str) -> str:
    return indent(dedent(code).strip("\n"), " " * 8)
