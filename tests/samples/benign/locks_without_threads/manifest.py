"""What locks_without_threads is called and makes."""

feature_extractor_name = "locks_without_threads"
version = "1.2.0"
description = "Locks without threads"
dependencies = []
features = [{"feature_type": "value", "feature_name": "value"}]
output_schema = {"type": "object", "properties": {"value": {}}}
input_mappings = {"text": "text"}
tier = 1
tier_label = "fast"
compute_profile = {"resource_type": "cpu", "batch_size": 64}
