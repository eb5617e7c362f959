"""Contract door: the base of batch processors, from `mixpeek.contract.inference`."""

from mixpeek.contract.inference import BaseBatchInferenceService, get_batch_service

__all__ = ["BaseBatchInferenceService", "get_batch_service"]
