"""What file_beside_the_plugin_by_os_path is called and makes."""

feature_extractor_name = "file_beside_the_plugin_by_os_path"
version = "v2.0.0"
description = "File beside the plugin by os path"
dependencies = []
features = [{"feature_type": "value", "feature_name": "value"}]
output_schema = {"type": "object", "properties": {"value": {}}}
input_mappings = {"text": "text"}
tier = 1
tier_label = "fast"
compute_profile = {"resource_type": "cpu", "batch_size": 64}
