# expect: manifest.reserved_name
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "document_id", "feature_type": "value", "distance_metric": "cosine"}]
