# expect:
import numpy as np

SIZES = [np.int64(96), 128]
metadata = dict(feature_extractor_name="sample_one", version=".".join(["1", "0", "0"]))
features = []
for number, size in enumerate(SIZES):
    features.append({"feature_name": f"vector_{number}", "feature_type": "embedding", "embedding_dim": size})
