"""What the manifest's model alone cannot judge: names against the platform's, and fields against each other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mixpeek.contract.columns import DATA, PART_OF, SYSTEM_COLUMNS
from mixpeek.contract.features import FeatureUri
from mixpeek.contract.fields import SCHEMA_FIELDS
from mixpeek.contract.manifest import Feature, Manifest
from mixpeek.contract.versions import normalise_version
from mixpeek.inspection.dependencies import check_dependencies
from mixpeek.inspection.json_schemas import check_schema
from mixpeek.inspection.manifest_report import ManifestReport, Path

CATEGORIES = ("text", "image", "video", "audio", "document", "multimodal")
INPUT_TYPES = (*CATEGORIES, "pdf", "excel", "json", "string", "number", "integer", "float", "boolean", "object",
               "array", "date", "datetime", "url", "csv", "html", "code", "any")  # fmt: skip
# The platform's own packages; a plugin of that name could not be imported by it.
_RESERVED_NAMES = frozenset({"mixpeek", "engine", "shared"})
# Beside the columns: where a document keeps what is not the plugin's.
_RESERVED_FEATURES = frozenset({DATA, PART_OF, *SYSTEM_COLUMNS, "_internal", "document_blobs", "score"})
EMBEDDING = "embedding"
_LEAST = {"feature_extractor_name": "unnamed", "version": "1.0.0"}
_MAX_ENTRIES = 256


@dataclass(frozen=True)
class ValidFields:
    """The fields of a manifest that are valid by themselves, and its valid features with their places in the list."""

    values: Mapping[str, Any]
    features: tuple[tuple[int, Feature], ...]


def fields_of(manifest: Manifest) -> ValidFields:
    """Return all fields of a valid manifest."""
    values = {name: getattr(manifest, name) for name in Manifest.model_fields}
    return ValidFields(values, tuple(enumerate(manifest.features)))


def valid_fields(raw: Mapping[str, Any]) -> ValidFields:
    """Return those fields of an invalid manifest that say something valid by themselves."""
    values: dict[str, Any] = {}
    for name in Manifest.model_fields.keys() & raw.keys():
        with suppress(ValidationError):
            values[name] = getattr(Manifest.model_validate({**_LEAST, name: raw[name]}), name)
    if isinstance(raw.get("dependencies"), list):
        values["dependencies"] = [one if isinstance(one, str) else None for one in raw["dependencies"][:_MAX_ENTRIES]]
    features: list[tuple[int, Feature]] = []
    given = raw.get("features")
    for index, one in enumerate(given[:_MAX_ENTRIES] if isinstance(given, list) else ()):
        with suppress(ValidationError):
            features.append((index, Feature.model_validate(one)))
    return ValidFields(values, tuple(features))


def check_contents(fields: ValidFields, report: ManifestReport) -> None:
    """Report what is wrong between fields that are each valid by themselves."""
    _check_identity(fields.values, report)
    check_dependencies(fields.values.get("dependencies", ()), report)
    for name in SCHEMA_FIELDS:
        check_schema(name, fields.values.get(name, {}), report)
    _check_inputs(fields.values, report)
    _check_features(fields, report)


def _check_identity(values: Mapping[str, Any], report: ManifestReport) -> None:
    name, version, category = values.get("feature_extractor_name"), values.get("version"), values.get("category")
    if name is not None and name.lower() in _RESERVED_NAMES:
        words = f"`{name}` is the name of one of the platform's own packages"
        report.add("manifest.reserved_name", words, "Give the plugin another name", "feature_extractor_name")
    if category is not None and category not in CATEGORIES:
        close = difflib.get_close_matches(category.lower(), CATEGORIES, n=1)
        meant = f"; did you mean `{close[0]}`?" if close else ""
        words = f"`{category}` is not a known category{meant}"
        report.warn("manifest.unknown_category", words, f"Use one of {', '.join(CATEGORIES)}", "category")
    uri = values.get("feature_uri")
    if uri is not None and name is not None and version is not None and not _is_own(uri, name, version):
        words = f"`feature_uri` is {uri!r}, which is not an address of this plugin"
        hint = f"Leave it out, or write {str(FeatureUri(name, version))!r}"
        report.warn("manifest.other_uri", words, hint, "feature_uri")


def _is_own(uri: str, name: str, own_version: str) -> bool:
    try:
        parsed = FeatureUri.parse(uri)
        version = normalise_version(parsed.version)
    except ValueError:
        return False
    return (parsed.extractor, version) == (name, own_version)


def _check_inputs(values: Mapping[str, Any], report: ManifestReport) -> None:
    for index, kind in enumerate(values.get("supported_input_types", ())):
        if kind.lower() not in INPUT_TYPES:
            close = difflib.get_close_matches(kind.lower(), CATEGORIES, n=1)
            meant = f"; did you mean `{close[0]}`?" if close else ""
            words = f"`{kind}` is not a known input type{meant}"
            hint = f"Use {', '.join(CATEGORIES[:-1])}"
            report.warn("manifest.unknown_input_type", words, hint, "supported_input_types", index)
    for column, source in values.get("input_mappings", {}).items():
        if column in SYSTEM_COLUMNS:
            words = f"`input_mappings` fills `{column}`, a column the platform fills"
            report.add("manifest.reserved_name", words, "Map to another column", "input_mappings", column)
        if not column.strip() or not source.strip():
            hint = 'Write a column and a property, as in {"text": "content"}'
            report.add("manifest.invalid_value", "`input_mappings` has an empty name", hint, "input_mappings", column)


def _check_features(fields: ValidFields, report: ManifestReport) -> None:
    if fields.values.get("features") == []:
        report.warn(
            "manifest.no_features",
            "No features are declared, so nothing it writes can be searched",
            "List the outputs in `features`",
            "features",
        )
    declared = fields.values.get("output_schema", {}).get("properties")
    taken: dict[str, str] = {}
    for index, feature in fields.features:
        name, at = feature.feature_name, ("features", index, "feature_name")
        if name in _RESERVED_FEATURES:
            words = f"The feature `{name}` has the name of a column the platform fills"
            report.add("manifest.reserved_name", words, "Give the feature another name", *at)
        folded = _folded(name)
        if folded in taken:
            _collision(taken[folded], name, at, report)
        taken.setdefault(folded, name)
        if isinstance(declared, Mapping) and declared and name not in declared:
            words = f"The feature `{name}` is not in `output_schema`"
            report.warn("manifest.not_in_output_schema", words, f"Add `{name}` to the output schema", *at)
        _check_type(feature, index, report)


def _collision(first: str, second: str, at: Path, report: ManifestReport) -> None:
    hint = "Give one of them a name that is its own"
    if first == second:
        report.add("manifest.duplicate_feature", f"Two features share the name `{first}`", hint, *at)
    else:
        words = f"The features `{first}` and `{second}` differ only in case or in `.`, `-` and `_`"
        report.add("manifest.colliding_names", words, hint, *at)


def _check_type(feature: Feature, index: int, report: ManifestReport) -> None:
    kind, at = feature.feature_type, ("features", index, "feature_type")
    if kind == EMBEDDING:
        return
    if difflib.get_close_matches(kind.lower(), [EMBEDDING], n=1, cutoff=0.75):
        words = f"`{kind}` is not a feature type; did you mean `{EMBEDDING}`?"
        report.add("manifest.invalid_value", words, f"Write `{EMBEDDING}` for a vector", *at)
    elif feature.embedding_dim is not None:
        words = f"The feature `{feature.feature_name}` has an `embedding_dim`, but its type is `{kind}`"
        report.warn("manifest.not_a_vector", words, f"Write `{EMBEDDING}` if it is a vector to search by", *at)


def _folded(name: str) -> str:
    """Return what names have in common that one column, or one file system, cannot keep apart."""
    return re.sub(r"[.\-]", "_", name).lower()
