"""Contract door: the base of realtime handlers, from `mixpeek.contract.inference`."""

from mixpeek.contract.inference import BaseInferenceService

__all__ = ["BaseInferenceService"]
