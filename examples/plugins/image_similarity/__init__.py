"""Pictures that look alike: `manifest` declares, `pipeline` runs in batch, `realtime` answers single requests."""
