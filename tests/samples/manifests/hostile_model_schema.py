# expect: manifest.cannot_be_read
from pydantic import BaseModel


class Input(BaseModel):
    @classmethod
    def model_json_schema(cls, *args, **kwargs):
        raise SystemExit("no schema")


metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
input_schema = Input
