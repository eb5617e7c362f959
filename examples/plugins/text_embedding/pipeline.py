"""Batch processing: one CPU step that embeds every text row."""

from typing import Any

from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

from .manifest import TextEmbeddingParams, metadata
from .processors.core import TextEmbeddingConfig, TextEmbeddingProcessor


def build_steps(
    extractor_request: Any,
    container: Any | None = None,
    base_steps: list[Any] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Return the steps for the parameters of one collection."""
    params = TextEmbeddingParams(**(extractor_request.extractor_config.parameters or {}))
    pipeline = PipelineDefinition(
        name=metadata["feature_extractor_name"],
        version=metadata["version"],
        steps=[
            StepDefinition(
                service_class=TextEmbeddingProcessor,
                resource_type=ResourceType.CPU,
                config=TextEmbeddingConfig(threads=params.threads),
                condition=RowCondition.IS_TEXT,
            ),
        ],
    )
    return {"steps": (base_steps or []) + build_pipeline_steps(pipeline), "prepare": lambda ds: ds}
