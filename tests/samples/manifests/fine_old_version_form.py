# expect:
feature_extractor_name = "sample_one"
version = "v1.2"
features = [
    {"feature_type": "embedding", "feature_name": "vector", "embedding_dim": 65535, "distance_metric": "Euclidean"},
    {"feature_type": "value", "feature_name": "label"},
]
