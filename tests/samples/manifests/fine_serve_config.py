# expect:
metadata = {"feature_extractor_name": "sample_one", "version": "1.0.0", "category": "text"}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
serve_config = {"num_replicas": 2, "min_replicas": 1, "max_replicas": 4, "num_cpus": 0.5, "timeout_s": 30}
parity = "strict"
cost_rates = {"per_row": 0.001}
