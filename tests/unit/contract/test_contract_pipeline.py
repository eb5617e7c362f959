"""Steps and row conditions."""

from __future__ import annotations

import pytest

from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)


class Processor:
    def __call__(self, batch: object) -> object:
        return batch


@pytest.mark.parametrize(
    ("condition", "passing", "stopped"),
    [
        (RowCondition.IS_TEXT, ["text/plain", "TEXT/HTML; charset=utf-8", None, ""], ["image/png", "application/pdf"]),
        (RowCondition.IS_IMAGE, ["image/png"], ["text/plain", None]),
        (RowCondition.IS_VIDEO, ["video/mp4"], ["audio/mpeg", None]),
        (RowCondition.IS_AUDIO, ["audio/mpeg"], ["video/mp4", None]),
        (RowCondition.IS_PDF, ["application/pdf", "application/pdf; version=1"], ["application/pdfx", None]),
        (RowCondition.ALWAYS, ["text/plain", "image/png", None], []),
    ],
)
def test_a_condition_passes_rows_by_mime_type(
    condition: RowCondition, passing: list[str | None], stopped: list[str | None]
) -> None:
    assert all(condition.matches(kind) for kind in passing)
    assert not any(condition.matches(kind) for kind in stopped)


def test_a_step_has_defaults_and_the_name_of_its_class() -> None:
    step = StepDefinition(service_class=Processor)

    assert (step.name, step.resource_type, step.condition, step.enabled, step.config) == (
        "Processor",
        ResourceType.CPU,
        RowCondition.ALWAYS,
        True,
        None,
    )


def test_a_step_takes_the_plain_words_of_its_enums_and_refuses_others() -> None:
    assert StepDefinition(Processor, resource_type="gpu").resource_type is ResourceType.GPU  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tpu"):
        StepDefinition(Processor, resource_type="tpu")  # type: ignore[arg-type]


def test_the_steps_of_a_pipeline_keep_their_order() -> None:
    first, second = StepDefinition(Processor), Processor()

    assert build_pipeline_steps(PipelineDefinition("sample", "1.0.0", [first, second])) == [first, second]


def test_a_step_that_cannot_be_called_is_refused_by_its_place() -> None:
    with pytest.raises(TypeError, match="step 0 is a int"):
        build_pipeline_steps(PipelineDefinition("sample", "1.0.0", [3]))
