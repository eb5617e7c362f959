# expect: manifest.invalid_value
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
compute_profile = {"resource_type": "tpu", "batch_size": 0, "max_concurrency": True, "timeout_s": 86400}
