# expect: manifest.invalid_value
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = "vector"
