"""Contract door: the names plugin code imports as `shared`; re-exports only."""
