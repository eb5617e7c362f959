"""Contract door: re-exports only."""
