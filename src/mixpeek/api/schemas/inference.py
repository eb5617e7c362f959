"""What the inference route takes and answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from mixpeek.api.schemas.base import Answer
from mixpeek.wire import WireModel


class AskInference(WireModel):
    """One request to a deployed plugin, named in one of two ways."""

    inference_name: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="A plugin's name, to ask whichever version is live, or a plugin id, to ask that version.",
    )
    feature_uri: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="`mixpeek://name/feature` asks the live version, `mixpeek://name@1.2.3/feature` that one.",
    )
    inputs: dict[str, Any] = Field(description="What the plugin's handler is given.")
    parameters: dict[str, Any] | None = Field(None, description="Settings of the plugin, where it has any.")

    @model_validator(mode="after")
    def _one_name(self) -> AskInference:
        if (self.inference_name is None) == (self.feature_uri is None):
            raise ValueError("send either `inference_name` or `feature_uri`")
        return self


class InferenceAnswer(Answer):
    """What a plugin answered, and which version of it did."""

    status: Literal["success"]
    inference_name: str = Field(description="Plugin id of the version that answered.")
    feature_uri: str = Field(description="The feature that was asked for, else the version's first embedding.")
    version: str = Field(description="Also in the header X-Plugin-Version.")
    code_hash: str = Field(description="Identifies the code that answered. Also in the header X-Code-Hash.")
    output: Any = Field(description="The handler's own result.")
