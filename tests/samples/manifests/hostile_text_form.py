# expect: manifest.cannot_be_read
class Key:
    def __str__(self):
        raise KeyboardInterrupt


metadata = {Key(): 1}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
