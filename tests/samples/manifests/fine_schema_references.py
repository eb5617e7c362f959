# expect:
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
output_schema = {
    "type": "object",
    "properties": {"vector": {"$ref": "#/$defs/vector"}, "$ref": {"type": "string", "default": {"$ref": "a name"}}},
    "$defs": {"vector": {"type": "array", "items": {"type": "number"}, "minItems": 3}},
}
