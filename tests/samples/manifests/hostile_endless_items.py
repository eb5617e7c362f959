# expect: manifest.cannot_be_read
from collections.abc import Mapping


class Endless(Mapping):
    def __getitem__(self, key):
        return key

    def __iter__(self):
        number = 0
        while True:
            yield f"key_{number}"
            number += 1

    def __len__(self):
        return 1


metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
cost_rates = Endless()
