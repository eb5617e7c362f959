"""What image_similarity is called, what it reads, and which features it writes."""

from pydantic import BaseModel, Field


class ImageSimilarityInput(BaseModel):
    """One picture to describe."""

    image: str = Field(description="Address of a picture: an asset of the namespace, or `data:image/png;base64,…`")


class ImageSimilarityOutput(BaseModel):
    """What one picture becomes."""

    image_similarity_vector: list[float] = Field(description="256 floats of unit length: colours, layout and edges")
    width: int = Field(description="Pixels, once the picture is turned upright")
    height: int = Field(description="Pixels, once the picture is turned upright")
    average_colour: str = Field(description="As in `#d08040`")
    fingerprint: str = Field(description="16 hex digits; equal or nearly so for copies of one picture")


class ImageSimilarityParams(BaseModel):
    """Settings a collection may choose; its queries are described with the same ones."""

    colour_weight: float = Field(default=1.0, gt=0, le=10, description="How much colours count")
    layout_weight: float = Field(default=1.0, ge=0, le=10, description="How much it counts where light and dark are")
    edge_weight: float = Field(default=1.0, ge=0, le=10, description="How much edges and their directions count")


metadata = {
    "feature_extractor_name": "image_similarity",
    "version": "1.0.0",
    "description": "Finds pictures that look alike, by colours, layout and edges",
    "category": "image",
    "author": "Mixpeek",
}

input_schema = ImageSimilarityInput
output_schema = ImageSimilarityOutput
parameter_schema = ImageSimilarityParams
supported_input_types = ["image"]

features = [
    {
        "feature_type": "embedding",
        "feature_name": "image_similarity_vector",
        "embedding_dim": 256,
        "distance_metric": "cosine",
        "description": "Looks of the picture; near vectors mean pictures that look alike",
    },
]

dependencies = ["pillow>=11"]

compute_profile = {"resource_type": "cpu", "batch_size": 32}
