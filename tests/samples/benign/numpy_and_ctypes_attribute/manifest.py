"""What numpy_and_ctypes_attribute is called and makes."""

from pydantic import BaseModel


class Input(BaseModel):
    text: str


class Output(BaseModel):
    value: float | str | None


class Params(BaseModel):
    threshold: float = 0.5


metadata = {
    "feature_extractor_name": "numpy_and_ctypes_attribute",
    "version": "1.0.0",
    "description": "Numpy and ctypes attribute",
    "category": "text",
}
input_schema = Input
output_schema = Output
parameter_schema = Params
supported_input_types = ["text"]
features = [{"feature_type": "value", "feature_name": "value"}]
