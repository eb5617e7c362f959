"""What globals_and_modules is called and makes."""

feature_extractor_name = "globals_and_modules"
version = "v2.0.0"
description = "Globals and modules"
dependencies = []
features = [{"feature_type": "value", "feature_name": "value"}]
output_schema = {"type": "object", "properties": {"value": {}}}
input_mappings = {"text": "text"}
tier = 1
tier_label = "fast"
compute_profile = {"resource_type": "cpu", "batch_size": 64}
