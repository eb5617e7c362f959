"""Contract door: the names plugin code imports as `engine`; re-exports only."""
