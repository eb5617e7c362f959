"""The base of every request body: unknown keys are refused, each with the known key it may stand for."""

from __future__ import annotations

import difflib
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


class WireModel(BaseModel):
    """A request body or a part of one."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, allow_inf_nan=False)
    # Names that documents and clients use for a field beside its own, each with the field it means.
    other_names: ClassVar[dict[str, str]] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_known_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if cls.other_names and isinstance(data, dict):
            data = {cls._own_name(key, data): value for key, value in data.items()}
        try:
            return handler(data)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                cls.__name__, [_with_suggestion(cls, line) for line in error.errors(include_url=False)]
            ) from None

    @classmethod
    def _own_name(cls, key: str, data: dict[str, Any]) -> str:
        name = cls.other_names.get(key)
        # With both names given, the other one stays, and is refused as unknown.
        return key if name is None or name in data else name


def known_keys(model: type[BaseModel]) -> set[str]:
    """Return every key a body of `model` may have, aliases included."""
    return set(model.model_fields) | {f.alias for f in model.model_fields.values() if f.alias}


def _with_suggestion(model: type[BaseModel], line: Any) -> InitErrorDetails:
    location = line["loc"]
    if line["type"] == "extra_forbidden" and len(location) == 1:
        known = sorted(known_keys(model))
        near = difflib.get_close_matches(str(location[0]), known, n=1, cutoff=0.5)
        advice = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
        kind: Any = PydanticCustomError("unknown_key", "Unknown key; {advice}", {"advice": advice})
    else:
        # Message and type stay as they are; the context is already in the message, whose braces are its own.
        kind = PydanticCustomError(line["type"], line["msg"])
    return InitErrorDetails(type=kind, loc=location, input=line.get("input"))
