# expect: manifest.repeated_key
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "version": "2.0.0"}  # noqa: F601
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
