"""Scenes of videos by their looks: `manifest` declares, `pipeline` runs in batch, `realtime` answers requests."""
