"""The names a manifest may declare, readable without importing the models that check them.

`Manifest` in `contract.manifest` has exactly these fields; a test holds the two together.
"""

from __future__ import annotations

from typing import Final

SCHEMA_FIELDS: Final = ("input_schema", "output_schema", "parameter_schema")

MANIFEST_FIELDS: Final[tuple[str, ...]] = (
    "feature_extractor_name",
    "version",
    "description",
    "category",
    "author",
    *SCHEMA_FIELDS,
    "supported_input_types",
    "features",
    "dependencies",
    "models",
    "compute_profile",
    "serve_config",
    "input_mappings",
    "explodes",
    "parity",
    "tier",
    "tier_label",
    "feature_uri",
    "cost_rates",
)
