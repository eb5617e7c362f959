# expect: manifest.schema_too_large
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
input_schema = {"properties": {f"p{n}": {"type": "string"} for n in range(6000)}}
