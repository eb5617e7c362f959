# expect: manifest.invalid_schema
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
parameter_schema = {"type": "object", "required": "text", "properties": {"a": 3, "b": {"minLength": -1}}}
