# expect: manifest.unknown_key
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_type": "embedding", "feature_name": "vector", "dim": 3, "metric": "cosine"}]
