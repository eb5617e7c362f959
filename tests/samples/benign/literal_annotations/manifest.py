"""What literal_annotations is called and makes."""

from pydantic import BaseModel


class Input(BaseModel):
    text: str


class Output(BaseModel):
    value: float | str | None


class Params(BaseModel):
    threshold: float = 0.5


metadata = {
    "feature_extractor_name": "literal_annotations",
    "version": "1.0.0",
    "description": "Literal annotations",
    "category": "text",
}
input_schema = Input
output_schema = Output
parameter_schema = Params
supported_input_types = ["text"]
features = [{"feature_type": "value", "feature_name": "value"}]
