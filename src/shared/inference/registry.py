"""Contract door: finding batch services, from `mixpeek.contract.inference`."""

from mixpeek.contract.inference import get_batch_service

__all__ = ["get_batch_service"]
