"""Contract door: opening assets, from `mixpeek.contract.assets`."""

from mixpeek.contract.assets import AssetUnavailable, download_asset, open_asset

__all__ = ["AssetUnavailable", "download_asset", "open_asset"]
