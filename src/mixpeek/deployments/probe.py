"""What a rollout asks a plugin with: its own sample, its schema's example, or something built in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixpeek.contract.columns import DATA, MIME_TYPE
from mixpeek.contract.manifest import Manifest
from mixpeek.deployments.probe_assets import SENTENCE, asset_for
from mixpeek.errors import InvalidRequest
from mixpeek.examination.samples import Row, find_shipped, read_shipped

_TEXT = "text/plain"


@dataclass(frozen=True)
class Probe:
    """One question: `inputs` for realtime, `row` for the pipeline; `synthetic` when the author did not offer it.

    `origin` says in words where it comes from.
    """

    inputs: dict[str, Any]
    row: Row
    synthetic: bool
    origin: str

    @property
    def mime_type(self) -> str:
        """What the row conditions of steps are held against."""
        kind = self.row.get(MIME_TYPE)
        return kind if isinstance(kind, str) else _TEXT


def choose_probe(manifest: Manifest, plugin_dir: Path) -> tuple[Probe | None, list[str]]:
    """Return the probe, None if nothing can be asked, and warnings about what could not be used."""
    warnings: list[str] = []
    shipped = find_shipped(plugin_dir)
    if shipped is not None:
        try:
            row = read_shipped(shipped)[0]
            return Probe(row, row, synthetic=False, origin=f"the first row of {shipped.name}"), warnings
        except InvalidRequest as unusable:
            warnings.append(f"The plugin's own sample was not used: {unusable.message}; {unusable.hint}")
    probe = probe_from_manifest(manifest)
    if probe is None:
        taken = ", ".join(manifest.supported_input_types)
        warnings.append(
            f"Not probed: the plugin takes {taken}, for which nothing is built in; ship a samples.json, or add"
            " `examples` to its input schema"
        )
    return probe, warnings


def probe_from_manifest(manifest: Manifest) -> Probe | None:
    """Return the schema's own example, else something built in for an input type; None where there is nothing."""
    schema = manifest.input_schema
    for example in [*_listed(schema.get("examples")), _example_of_properties(schema)]:
        if isinstance(example, dict) and example:
            row = {**_typed_row(manifest), **example}
            return Probe(example, row, synthetic=False, origin="its input schema's example")
    kinds = manifest.supported_input_types
    if not kinds or "text" in kinds:
        inputs = {_first_text(manifest, "text"): SENTENCE}
        return Probe(inputs, inputs, synthetic=True, origin="a made-up sentence")
    for kind in kinds:
        asset = asset_for(kind)
        if asset is not None:
            inputs = {_first_text(manifest, kind): asset.address}
            row = {DATA: asset.address, MIME_TYPE: asset.mime_type, "blob_type": kind, **inputs}
            return Probe(inputs, row, synthetic=True, origin=f"a made-up {asset.mime_type}")
    return None


def _typed_row(manifest: Manifest) -> Row:
    """Return what the row of an example says about itself, where the plugin takes something else than text."""
    kinds = manifest.supported_input_types
    asset = None if not kinds or "text" in kinds else asset_for(kinds[0])
    return {} if asset is None else {MIME_TYPE: asset.mime_type, "blob_type": kinds[0]}


def _example_of_properties(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the first example of every property that has one, if none that is required lacks it."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return None
    found = {
        name: examples[0]
        for name, each in properties.items()
        if isinstance(each, dict) and (examples := _listed(each.get("examples")))
    }
    return found if set(_listed(schema.get("required"))) <= set(found) else None


def _first_text(manifest: Manifest, default: str) -> str:
    properties = manifest.input_schema.get("properties")
    named = properties if isinstance(properties, dict) else {}
    texts = (name for name, each in named.items() if isinstance(each, dict) and each.get("type") == "string")
    return next(texts, default)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
