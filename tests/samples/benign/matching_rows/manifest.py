"""What matching_rows is called and makes."""

feature_extractor_name = "matching_rows"
version = "1.2.0"
description = "Matching rows"
dependencies = []
features = [{"feature_type": "value", "feature_name": "value"}]
output_schema = {"type": "object", "properties": {"value": {}}}
input_mappings = {"text": "text"}
tier = 1
tier_label = "fast"
compute_profile = {"resource_type": "cpu", "batch_size": 64}
