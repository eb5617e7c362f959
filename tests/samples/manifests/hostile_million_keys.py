# expect: manifest.cannot_be_read
metadata = {f"key_{n}": n for n in range(1_000_000)}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
