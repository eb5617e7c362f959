# expect: manifest.colliding_names
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [
    {"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3},
    {"feature_name": "Vector", "feature_type": "embedding", "embedding_dim": 3},
    {"feature_name": "text.size", "feature_type": "value"},
    {"feature_name": "text_size", "feature_type": "value"},
]
