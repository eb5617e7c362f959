"""Sentence embeddings of text: `manifest` declares, `pipeline` runs in batch, `realtime` answers single requests."""
