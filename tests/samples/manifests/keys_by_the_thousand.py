# expect: manifest.missing_key, manifest.unknown_key
metadata = {f"key_{n}": n for n in range(10_000)}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
