# expect: manifest.unknown_category
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "txt"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
