# expect: manifest.unknown_key
metadata = {"name": "sample_one", "version": "v1", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
