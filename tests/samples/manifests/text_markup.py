# expect: manifest.invalid_name, manifest.unknown_category, manifest.unknown_key
metadata = {
    "feature_extractor_name": "[red]\x1b[2J\u202ename",
    "version": "1.0.0",
    "category": "[bold]text[/bold]\x9b31m",
    "\x1b]0;title\x07": 1,
}
features = [{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": "cosine"}]
