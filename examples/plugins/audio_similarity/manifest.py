"""What audio_similarity is called, what it reads, and which features it writes."""

from pydantic import BaseModel, Field


class AudioSimilarityInput(BaseModel):
    """One sound to describe."""

    audio: str = Field(description="Address of a sound: an asset of the namespace, or `data:audio/wav;base64,…`")


class AudioSimilarityOutput(BaseModel):
    """What one sound becomes."""

    audio_similarity_vector: list[float] | None = Field(description="80 floats of unit length, or null for silence")
    duration_s: float = Field(description="How much was listened to, in seconds")
    loudness_db: float = Field(description="Root mean square against full scale, -120 to 0")
    brightness_hz: float = Field(description="Centre of the spectrum, 0 to 8,000")


class AudioSimilarityParams(BaseModel):
    """Settings a collection may choose; its queries are described with the same ones."""

    max_seconds: float = Field(default=300, gt=0, le=3600, description="What lies beyond is not listened to")


metadata = {
    "feature_extractor_name": "audio_similarity",
    "version": "1.0.0",
    "description": "Finds sounds that are alike, by their spectrum and how it moves",
    "category": "audio",
    "author": "Mixpeek",
}

input_schema = AudioSimilarityInput
output_schema = AudioSimilarityOutput
parameter_schema = AudioSimilarityParams
supported_input_types = ["audio"]

features = [
    {
        "feature_type": "embedding",
        "feature_name": "audio_similarity_vector",
        "embedding_dim": 80,
        "distance_metric": "cosine",
        "description": "Timbre of the sound; near vectors mean sounds that are alike",
    },
]

dependencies = ["av>=15"]

# Sounds may be long, so few are decoded in one call.
compute_profile = {"resource_type": "cpu", "batch_size": 8, "timeout_s": 120}
