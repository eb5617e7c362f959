# expect: manifest.unknown_key
metadata = {"feature_extractor_name": "sample_one", "verison": "1.0.0", "categry": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embeding_dim": 3}]
