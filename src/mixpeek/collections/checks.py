"""Whether an extractor can be fed from a source: its parameters, its inputs, and what is to be kept. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from mixpeek.collections.mappings import InputMapping, first_payload, parse_mappings
from mixpeek.collections.schemas import FeatureExtractor
from mixpeek.collections.source_schema import schema_at
from mixpeek.collections.sources import Found
from mixpeek.contract.columns import SYSTEM_COLUMNS
from mixpeek.errors import InvalidRequest
from mixpeek.registry.models import PluginVersion

# Documented parameters are tagged with the extractor they are for; an extractor need not declare the tag.
TAG = "extractor_type"


def check_extractor(wanted: FeatureExtractor, version: PluginVersion, found: Found) -> FeatureExtractor:
    """Return the extractor as the collection keeps it, with mappings where the source's names alone suggest them.

    Raises: InvalidRequest.
    """
    parameters = _checked_parameters(wanted.parameters, version)
    mappings = wanted.input_mappings
    manifest = version.parsed_manifest
    if not mappings and not manifest.input_mappings and found.source["type"] == "collection":
        mappings = _mappings_by_name(version, found)
    used = mappings if isinstance(mappings, dict) else [mapping.model_dump() for mapping in mappings]
    where = "input_mappings" if mappings else "the extractor's own input_mappings"
    _check_mappings(parse_mappings(used or manifest.input_mappings), found, where)
    for number, item in enumerate(wanted.field_passthrough):
        # Fields of an object that its bucket's schema does not name are sent, and found, under `metadata`.
        is_loose = found.is_open or (found.source["type"] == "bucket" and item.source_path.startswith("metadata."))
        if not is_loose and schema_at(found.fields, item.source_path) is None:
            raise _unknown(f"field_passthrough[{number}]", item.source_path, found.fields)
    return wanted.model_copy(update={"parameters": parameters, "input_mappings": mappings})


def _checked_parameters(given: dict[str, Any], version: PluginVersion) -> dict[str, Any]:
    schema = version.parsed_manifest.parameter_schema
    declared = schema.get("properties", {})
    parameters = {name: value for name, value in given.items() if name != TAG or TAG in declared}
    if not schema:
        return parameters
    from jsonschema import Draft202012Validator  # a tenth of a second, for the few requests that bring a schema
    from jsonschema.validators import validator_for

    faults = list(validator_for(schema, default=Draft202012Validator)(schema).iter_errors(parameters))
    if faults:
        told = [
            {"type": str(f.validator), "location": ["parameters", *f.absolute_path], "message": f.message[:500]}
            for f in sorted(faults, key=lambda fault: list(map(str, fault.absolute_path)))
        ]
        first = ".".join(map(str, told[0]["location"]))
        raise InvalidRequest(
            f"`feature_extractor.{first}`: {told[0]['message']}",
            hint=f"{version.plugin_id} takes: {', '.join(sorted(declared)) or 'what its parameter_schema describes'}",
            validation_errors=told,
        )
    return parameters


def _mappings_by_name(version: PluginVersion, found: Found) -> dict[str, str]:
    """Return mappings for the inputs that a source has under their own name."""
    inputs = version.parsed_manifest.input_schema.get("properties", {})
    shared = {name: name for name in inputs if name in found.fields}
    if not shared:
        raise InvalidRequest(
            "`input_mappings` is needed: no field of the source has the name of one of the extractor's inputs",
            hint=f"The inputs are {_listed(inputs)}; the source's fields {_listed(found.fields)}",
        )
    return shared


def _check_mappings(mappings: Iterable[InputMapping], found: Found, where: str) -> None:
    mappings = tuple(mappings)
    for mapping in mappings:
        place = f"{where}[{mapping.input_key!r}]"
        if mapping.input_key in SYSTEM_COLUMNS:
            raise InvalidRequest(
                f"{place} would fill a column that the platform fills", hint="Map the field to another input"
            )
        if mapping.source_type == "vector" and mapping.path not in found.vectors:
            raise InvalidRequest(
                f"{place} reads the vector {mapping.path!r}, which the source has not",
                hint=f"Its vectors: {_listed(found.vectors)}",
            )
        if mapping.source_type == "payload" and not found.is_open and schema_at(found.fields, mapping.path) is None:
            raise _unknown(place, mapping.path, found.fields)
    if mappings and found.source["type"] == "bucket" and first_payload(mappings) is None:
        raise InvalidRequest(
            f"{where} reads no field, so that no object would make a row", hint="Map at least one field of the source"
        )


def _unknown(place: str, path: str, fields: dict[str, Any]) -> InvalidRequest:
    near = difflib.get_close_matches(path.rsplit(".", maxsplit=1)[-1], fields, n=1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return InvalidRequest(
        f"{place} reads {path!r}, which no source has{meant}", hint=f"The sources have: {_listed(fields)}"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
