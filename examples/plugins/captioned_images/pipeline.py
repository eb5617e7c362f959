"""Batch processing: two CPU steps, one for captions and one for pictures, over the same rows."""

from typing import Any

from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

from .manifest import CaptionedImagesParams, metadata
from .processors.captions import CaptionProcessor
from .processors.looks import LooksProcessor


def build_steps(
    extractor_request: Any,
    container: Any | None = None,
    base_steps: list[Any] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Return the steps for the parameters of one collection."""
    params = CaptionedImagesParams(**(extractor_request.extractor_config.parameters or {}))
    # A row holds a caption and a picture at once, and has one MIME type: neither step can be chosen by it.
    steps = [
        StepDefinition(
            service_class=service, resource_type=ResourceType.CPU, config=params, condition=RowCondition.ALWAYS
        )
        for service in (CaptionProcessor, LooksProcessor)
    ]
    pipeline = PipelineDefinition(name=metadata["feature_extractor_name"], version=metadata["version"], steps=steps)
    return {"steps": (base_steps or []) + build_pipeline_steps(pipeline), "prepare": lambda ds: ds}
