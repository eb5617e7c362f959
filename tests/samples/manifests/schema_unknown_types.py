# expect: manifest.invalid_schema
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
input_schema = {"type": "object", "properties": {"text": {"type": "str"}, "size": {"type": "int"}}}
