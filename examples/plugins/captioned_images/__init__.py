"""Pictures with captions, found by either: `manifest` declares, `pipeline` runs in batch, `realtime` answers."""
