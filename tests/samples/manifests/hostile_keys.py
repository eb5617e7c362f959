# expect: manifest.cannot_be_read
class Metadata(dict):
    def items(self):
        raise RuntimeError("no items today")


metadata = Metadata(feature_extractor_name="sample_one", version="1.0.0")
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
