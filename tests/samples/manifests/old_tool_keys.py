# expect: manifest.unknown_key
feature_extractor_name = "sample_one"
version = "v1"
features = [{"type": "embedding", "name": "vector", "dimensions": 3, "distance": "cosine"}]
