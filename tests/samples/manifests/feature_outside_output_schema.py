# expect: manifest.not_in_output_schema
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
output_schema = {"type": "object", "properties": {"embedding": {"type": "array"}}}
