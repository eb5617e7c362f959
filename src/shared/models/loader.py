"""Contract door: loading namespace models, from `mixpeek.contract.model_loading`."""

from mixpeek.contract.model_loading import load_namespace_model

__all__ = ["load_namespace_model"]
