"""What words_in_strings is called and makes."""

feature_extractor_name = "words_in_strings"
version = "1.2.0"
description = "Words in strings"
dependencies = []
features = [{"feature_type": "value", "feature_name": "value"}]
output_schema = {"type": "object", "properties": {"value": {}}}
input_mappings = {"text": "text"}
tier = 1
tier_label = "fast"
compute_profile = {"resource_type": "cpu", "batch_size": 64}
