"""Buckets and the objects in them: what extractors are run over."""
