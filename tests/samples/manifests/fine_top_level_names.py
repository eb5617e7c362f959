# expect:
feature_extractor_name = "sample_one"
version = "v1"
description = "Top-level names"
dependencies = ["numpy>=1.20,<99", "pydantic ; python_version >= '3.8'"]
features = [{"feature_type": "embedding", "feature_name": "vector", "embedding_dim": 2, "distance_metric": "dot"}]
output_schema = {"type": "object", "properties": {"vector": {"type": "array", "items": {"type": "number"}}}}
input_mappings = {"text": "content"}
tier = 1
tier_label = "basic"
compute_profile = {"resource_type": "cpu", "batch_size": 8, "max_concurrency": 1, "actor_memory_gb": 1}
feature_uri = "mixpeek://sample_one@v1/vector"
