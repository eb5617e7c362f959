# expect: manifest.unknown_key
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text", "explode": True}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
