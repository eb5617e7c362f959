# expect:
from pydantic import BaseModel, Field


class Input(BaseModel):
    text: str = Field(description="What to embed", examples=["a red bicycle"])


class Output(BaseModel):
    vector: list[float]


class Parameters(BaseModel):
    threshold: float = 0.5


metadata = {
    "feature_extractor_name": "sample_one",
    "version": "1.0.0",
    "description": "Größe, 日本語 and 🚲",
    "category": "text",
    "author": "An Author",
}
input_schema = Input
output_schema = Output
parameter_schema = Parameters
supported_input_types = ["text"]
features = [
    {"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 384, "distance_metric": "cosine"},
]
