"""Batch processing: one CPU step that splits every video into scenes."""

from typing import Any

from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

from .manifest import VideoScenesParams, metadata
from .processors.core import VideoScenesProcessor


def build_steps(
    extractor_request: Any,
    container: Any | None = None,
    base_steps: list[Any] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Return the steps for the parameters of one collection."""
    params = VideoScenesParams(**(extractor_request.extractor_config.parameters or {}))
    pipeline = PipelineDefinition(
        name=metadata["feature_extractor_name"],
        version=metadata["version"],
        steps=[
            StepDefinition(
                service_class=VideoScenesProcessor,
                resource_type=ResourceType.CPU,
                config=params,
                condition=RowCondition.IS_VIDEO,
            ),
        ],
    )
    return {"steps": (base_steps or []) + build_pipeline_steps(pipeline), "prepare": lambda ds: ds}
