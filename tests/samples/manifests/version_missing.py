# expect: manifest.missing_key
metadata = {"feature_extractor_name": "sample_one", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
