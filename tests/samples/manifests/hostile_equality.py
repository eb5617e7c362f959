# expect: manifest.cannot_be_read
class Twofaced(str):
    def __eq__(self, other):
        raise RuntimeError("compared")

    __hash__ = str.__hash__


version = Twofaced("2.0.0")
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
