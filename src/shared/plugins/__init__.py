"""Contract door: opening assets, from `mixpeek.contract.sdk`."""

from mixpeek.contract.sdk import download_asset, open_asset

__all__ = ["download_asset", "open_asset"]
