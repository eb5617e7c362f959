"""Contract door: loading models, from `mixpeek.contract.model_loading` and `mixpeek.contract.lazy_models`."""

from mixpeek.contract.lazy_models import LazyModelMixin, lazy_model
from mixpeek.contract.model_loading import is_hf_model_cached, load_hf_model, load_namespace_model, model_path

__all__ = [
    "LazyModelMixin",
    "is_hf_model_cached",
    "lazy_model",
    "load_hf_model",
    "load_namespace_model",
    "model_path",
]
