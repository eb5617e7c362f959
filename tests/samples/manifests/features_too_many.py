# expect: manifest.invalid_value
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": f"value_{n}", "feature_type": "value"} for n in range(300)]
