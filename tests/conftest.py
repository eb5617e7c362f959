"""What every test shares: how hypothesis searches. Being here, it also makes `factories` importable from any test."""

from __future__ import annotations

from hypothesis import settings

# The machine may be slow or shared: an example that takes long is no failure.
settings.register_profile("suite", deadline=None, max_examples=60, print_blob=True)
settings.load_profile("suite")
