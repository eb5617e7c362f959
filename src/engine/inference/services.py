"""Contract door: the base of batch processors, from `mixpeek.contract.inference`."""

from mixpeek.contract.inference import BaseBatchInferenceService

__all__ = ["BaseBatchInferenceService"]
