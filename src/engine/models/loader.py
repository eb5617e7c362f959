"""Contract door: loading models, from `mixpeek.contract.model_loading`."""

from mixpeek.contract.model_loading import is_hf_model_cached, load_hf_model, load_namespace_model, model_path

__all__ = ["is_hf_model_cached", "load_hf_model", "load_namespace_model", "model_path"]
