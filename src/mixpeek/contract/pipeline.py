"""The vocabulary of pipeline.py: steps, where they run and which rows they see.

Plugins import these names through `engine.plugins.extractors.pipeline`; running the steps belongs to the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ResourceType(StrEnum):
    """What a step needs: a processor core, a GPU, or the network.

    A plugin with an enabled step of `API` reaches public addresses; one with `GPU` fails with `platform.no_gpu` where
    there is none, unless the operator let it run on the processor.
    """

    CPU = "cpu"
    GPU = "gpu"
    API = "api"


class RowCondition(StrEnum):
    """Which rows a step sees, by their MIME type; a row that no enabled step sees is skipped as `no_matching_step`."""

    IS_TEXT = "is_text"
    IS_IMAGE = "is_image"
    IS_VIDEO = "is_video"
    IS_AUDIO = "is_audio"
    IS_PDF = "is_pdf"
    ALWAYS = "always"

    def matches(self, mime_type: str | None) -> bool:
        """Return whether a row of this MIME type passes; a row without one counts as text."""
        if self is RowCondition.ALWAYS:
            return True
        kind = (mime_type or "text/plain").partition(";")[0].strip().lower()
        if self is RowCondition.IS_PDF:
            return kind == "application/pdf"
        return kind.startswith(_FAMILIES[self])


_FAMILIES = {
    RowCondition.IS_TEXT: "text/",
    RowCondition.IS_IMAGE: "image/",
    RowCondition.IS_VIDEO: "video/",
    RowCondition.IS_AUDIO: "audio/",
}


@dataclass(frozen=True)
class StepDefinition:
    """One step: a processor class, called as `service_class(config)(batch)` with a DataFrame.

    Args:
        service_class: makes the processor, which is called with DataFrames and returns them with new columns.
        resource_type: what the step needs.
        config: handed to `service_class` as it is.
        condition: which rows the step sees.
        enabled: False leaves the step out.

    Strings such as `"cpu"` or `"is_text"` are accepted for the two enums; an unknown one raises ValueError.
    """

    service_class: Any
    resource_type: ResourceType = ResourceType.CPU
    config: Any = None
    condition: RowCondition = RowCondition.ALWAYS
    enabled: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "resource_type", ResourceType(self.resource_type))
        object.__setattr__(self, "condition", RowCondition(self.condition))

    @property
    def name(self) -> str:
        """The processor's class name."""
        return str(getattr(self.service_class, "__name__", type(self.service_class).__name__))


@dataclass(frozen=True)
class PipelineDefinition:
    """An extractor's ordered steps.

    Args:
        name: as in the manifest.
        version: as in the manifest.
        steps: StepDefinitions, or anything that can be called with a DataFrame; each sees what those before returned.
    """

    name: str
    version: str
    steps: Sequence[Any] = field(default_factory=tuple)


def build_pipeline_steps(pipeline: PipelineDefinition | Iterable[Any]) -> list[Any]:
    """Return the steps of a pipeline as a list, in order; raise TypeError for a step that cannot be called."""
    steps = list(pipeline.steps if isinstance(pipeline, PipelineDefinition) else pipeline)
    for index, step in enumerate(steps):
        if not isinstance(step, StepDefinition) and not callable(step):
            raise TypeError(f"step {index} is a {type(step).__name__}; give a StepDefinition or something callable")
    return steps
