"""Contract door: running many calls at once, from `mixpeek.contract.sdk`."""

from mixpeek.contract.sdk import concurrent_api_calls, parallel_io

__all__ = ["concurrent_api_calls", "parallel_io"]
