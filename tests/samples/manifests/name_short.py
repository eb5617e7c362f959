# expect: manifest.invalid_name
metadata = {"feature_extractor_name": "ab", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
