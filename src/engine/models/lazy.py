"""Contract door: models that load on first use, from `mixpeek.contract.lazy_models`."""

from mixpeek.contract.lazy_models import LazyModelMixin, lazy_model

__all__ = ["LazyModelMixin", "lazy_model"]
