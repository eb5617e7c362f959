"""What own_class_named_socket is called and makes."""

feature_extractor_name = "own_class_named_socket"
version = "v2.0.0"
description = "Own class named socket"
dependencies = []
features = [{"feature_type": "value", "feature_name": "value"}]
output_schema = {"type": "object", "properties": {"value": {}}}
input_mappings = {"text": "text"}
tier = 1
tier_label = "fast"
compute_profile = {"resource_type": "cpu", "batch_size": 64}
