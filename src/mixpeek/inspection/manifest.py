"""Words the manifest's faults for its author: which key, on which line, and what was probably meant.

The values come from a host that read manifest.py; the model that decides is `contract.manifest`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mixpeek.contract.columns import DATA, SYSTEM_COLUMNS
from mixpeek.contract.manifest import ComputeProfile, Feature, Manifest, ServeConfig
from mixpeek.inspection.dependencies import check_dependencies
from mixpeek.inspection.findings import Finding, Severity, has_errors, in_order
from mixpeek.inspection.manifest_source import ManifestSource

PATH = "manifest.py"
CATEGORIES = ("text", "image", "video", "audio", "document", "multimodal")

# Keys that other dialects and older tools use for the same thing.
_MEANT: dict[type[BaseModel], dict[str, str]] = {
    Feature: {
        "type": "feature_type",
        "name": "feature_name",
        "dimensions": "embedding_dim",
        "dimension": "embedding_dim",
        "dims": "embedding_dim",
        "dim": "embedding_dim",
        "distance": "distance_metric",
        "metric": "distance_metric",
    },
    Manifest: {
        "name": "feature_extractor_name",
        "extractor_name": "feature_extractor_name",
        "requirements": "dependencies",
        "params_schema": "parameter_schema",
        "input_types": "supported_input_types",
    },
    ComputeProfile: {},
    ServeConfig: {},
}
_NOT_YET: dict[str, str] = {}
_HINTS = {
    "feature_extractor_name": "Use 3 to 64 letters, digits and underscores, starting with a letter",
    "version": 'Write three numbers, as in "1.0.0"',
    "embedding_dim": "Write the length of the vector, 1 to 65535",
    "distance_metric": "Use cosine, euclid or dot",
    "feature_name": "Use letters, digits, dots, dashes and underscores, starting with a letter",
    "parity": "Use warn or strict",
    "models": 'Write a list such as ["org/name", "org/name@revision", "namespace://name_1_0_0"]',
    "resource_type": "Use cpu, gpu or api",
}


def check_manifest(raw: Mapping[str, Any], source: str | None = None) -> tuple[Manifest | None, list[Finding]]:
    """Return the checked manifest, or None if a finding is an error, and all findings by line.

    Args:
        raw: the fields as `describe` gave them, unknown keys included.
        source: the text of manifest.py, for line numbers.
    """
    check = _Check(ManifestSource.read(source))
    repaired = check.without_unknown_keys(raw)
    manifest: Manifest | None = None
    try:
        manifest = Manifest.model_validate(repaired)
    except ValidationError as cause:
        check.findings += [check.translate(details) for details in cause.errors()]
    check.similar_names()
    if manifest is not None:
        check.contents(manifest)
    findings = in_order(check.findings)
    return (None if has_errors(findings) else manifest), findings


@dataclass
class _Check:
    source: ManifestSource

    def __post_init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, rule: str, message: str, hint: str, *path: str | int, severity: Severity = Severity.ERROR) -> None:
        self.findings.append(self._finding(rule, message, hint, *path, severity=severity))

    def _finding(self, rule: str, message: str, hint: str, *path: str | int, severity: Severity) -> Finding:
        line, column = self.source.place(*path) or (None, None)
        return Finding(rule=rule, severity=severity, message=message, hint=hint, path=PATH, line=line, column=column)

    def without_unknown_keys(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Report unknown keys and return a copy with what they stood for, so that the rest can be checked too."""
        fields = self._known_keys(Manifest, raw)
        for name, model in (("compute_profile", ComputeProfile), ("serve_config", ServeConfig)):
            if isinstance(fields.get(name), Mapping):
                fields[name] = self._known_keys(model, fields[name], name)
        if isinstance(fields.get("features"), list):
            fields["features"] = [
                self._known_keys(Feature, feature, "features", index) if isinstance(feature, Mapping) else feature
                for index, feature in enumerate(fields["features"])
            ]
        return fields

    def _known_keys(self, model: type[BaseModel], given: Mapping[str, Any], *path: str | int) -> dict[str, Any]:
        known = model.model_fields
        kept = {key: value for key, value in given.items() if key in known}
        for key in given:
            if key in known:
                continue
            meant = _MEANT[model].get(key) or next(iter(difflib.get_close_matches(key, known, n=1, cutoff=0.75)), None)
            if key in _NOT_YET and model is Manifest:
                self.add("manifest.not_supported", f"`{key}` {_NOT_YET[key]}", f"Remove `{key}`", *path, key)
            elif meant is not None:
                self.add(
                    "manifest.unknown_key",
                    f"`{_dotted(*path, key)}` is not a known key; did you mean `{meant}`?",
                    f"Rename it to `{meant}`",
                    *path,
                    key,
                )
                kept.setdefault(meant, given[key])
            else:
                self.add(
                    "manifest.unknown_key",
                    f"`{_dotted(*path, key)}` is not a known key",
                    f"Remove it; the keys here are {', '.join(known)}",
                    *path,
                    key,
                )
        return kept

    def translate(self, details: ErrorDetails) -> Finding:
        """Return the finding for one of pydantic's errors."""
        path = details["loc"]
        names = [part for part in path if isinstance(part, str)]
        last = names[-1] if names else ""
        hint = _HINTS.get(last, "Correct the value in manifest.py")
        if details["type"] == "missing":
            rule, message = "manifest.missing_key", f"`{_dotted(*path)}` is missing"
            hint = f"Add it. {hint}" if last in _HINTS else "Add it to manifest.py"
        elif details["type"] == "string_pattern_mismatch":
            rule, message = "manifest.invalid_name", f"`{_dotted(*path)}` cannot be {details['input']!r:.100}"
        else:
            text = details["msg"].removeprefix("Value error, ")
            rule, message = "manifest.invalid_value", f"`{_dotted(*path)}`: {text}"
            hint = _HINTS["embedding_dim"] if "embedding_dim" in text else hint
        return self._finding(rule, message, hint, *path, severity=Severity.ERROR)

    def similar_names(self) -> None:
        """Warn of a variable that looks like a misspelt field: it would change nothing, silently."""
        known = set(Manifest.model_fields) | {"metadata"}
        for name in self.source.assigned:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.85) if name not in known else []
            if close and close[0] not in self.source.assigned:
                self.add(
                    "manifest.similar_name",
                    f"`{name}` is not read; did you mean `{close[0]}`?",
                    f"Rename it to `{close[0]}`, or to something less alike",
                    name,
                    severity=Severity.WARNING,
                )

    def contents(self, manifest: Manifest) -> None:
        """Check what the model alone cannot: names against the platform's, and fields against each other."""
        self.findings += check_dependencies(manifest.dependencies, self.source)
        if manifest.category not in CATEGORIES:
            self.add(
                "manifest.unknown_category",
                f"`{manifest.category}` is not a known category",
                f"Use one of {', '.join(CATEGORIES)}",
                "category",
                severity=Severity.WARNING,
            )
        if not manifest.features:
            self.add(
                "manifest.no_features",
                "No features are declared, so nothing it writes can be searched",
                "List the outputs in `features`",
                "features",
                severity=Severity.WARNING,
            )
        for index, name in _reserved(manifest):
            self.add(
                "manifest.reserved_name",
                f"The feature `{name}` has the name of a column the platform fills",
                "Give the feature another name",
                "features",
                index,
                "feature_name",
            )
        declared = manifest.output_schema.get("properties")
        for index, feature in enumerate(manifest.features):
            if isinstance(declared, Mapping) and declared and feature.feature_name not in declared:
                self.add(
                    "manifest.not_in_output_schema",
                    f"The feature `{feature.feature_name}` is not in `output_schema`",
                    f"Add `{feature.feature_name}` to the output schema",
                    "features",
                    index,
                    "feature_name",
                    severity=Severity.WARNING,
                )


def _reserved(manifest: Manifest) -> Iterator[tuple[int, str]]:
    for index, feature in enumerate(manifest.features):
        if feature.feature_name in (DATA, *SYSTEM_COLUMNS):
            yield index, feature.feature_name


def _dotted(*path: str | int) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "manifest"
