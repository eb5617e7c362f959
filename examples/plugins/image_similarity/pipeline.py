"""Batch processing: one CPU step that describes every row that is a picture."""

from typing import Any

from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

from .manifest import ImageSimilarityParams, metadata
from .processors.core import ImageSimilarityProcessor


def build_steps(
    extractor_request: Any,
    container: Any | None = None,
    base_steps: list[Any] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Return the steps for the parameters of one collection."""
    params = ImageSimilarityParams(**(extractor_request.extractor_config.parameters or {}))
    pipeline = PipelineDefinition(
        name=metadata["feature_extractor_name"],
        version=metadata["version"],
        steps=[
            StepDefinition(
                service_class=ImageSimilarityProcessor,
                resource_type=ResourceType.CPU,
                config=params,
                condition=RowCondition.IS_IMAGE,
            ),
        ],
    )
    return {"steps": (base_steps or []) + build_pipeline_steps(pipeline), "prepare": lambda ds: ds}
