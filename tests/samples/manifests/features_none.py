# expect: manifest.no_features
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = []
