"""Passages of PDF documents by meaning: `manifest` declares, `pipeline` runs in batch, `realtime` answers requests."""
