"""What local_names is called and makes."""

feature_extractor_name = "local_names"
version = "v2.0.0"
description = "Local names"
dependencies = []
features = [{"feature_type": "value", "feature_name": "value"}]
output_schema = {"type": "object", "properties": {"value": {}}}
input_mappings = {"text": "text"}
tier = 1
tier_label = "fast"
compute_profile = {"resource_type": "cpu", "batch_size": 64}
