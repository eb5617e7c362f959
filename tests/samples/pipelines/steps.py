from typing import Any

from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

from .manifest import Params, metadata
from .processors.core import Processor


def build_steps(extractor_request: Any, container: Any = None, base_steps: list | None = None, **kwargs: Any) -> dict:
    params = Params(**(extractor_request.extractor_config.parameters or {}))
    step = StepDefinition(
        service_class=Processor, resource_type=ResourceType.CPU, config=params, condition=RowCondition.ALWAYS
    )
    pipeline = PipelineDefinition(name=metadata["feature_extractor_name"], version=metadata["version"], steps=[step])
    return {"steps": (base_steps or []) + build_pipeline_steps(pipeline), "prepare": lambda ds: ds}
