"""Contract door: the pipeline vocabulary, from `mixpeek.contract.pipeline`."""

from mixpeek.contract.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

__all__ = ["PipelineDefinition", "ResourceType", "RowCondition", "StepDefinition", "build_pipeline_steps"]
