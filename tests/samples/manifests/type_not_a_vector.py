# expect: manifest.not_a_vector
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "value", "embedding_dim": 3, "distance_metric": "cosine"}]
