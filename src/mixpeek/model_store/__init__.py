"""Models that plugins load: uploaded to a namespace or fetched from a hub, checked, and kept in one read-only cache.

Loading them in a host belongs to `contract.model_loading`.
"""
