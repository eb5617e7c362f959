# expect: manifest.too_deep
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
input_schema = {}
for _ in range(40):
    input_schema = {"not": input_schema}
