"""What a retriever searches: the live generations of its collections, as they were when an execution began."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mixpeek.contract.features import FeatureUri
from mixpeek.contract.versions import normalise_version
from mixpeek.documents.port import Index
from mixpeek.errors import InvalidRequest

# The feature that a collection's documents have as words: searched by BM25, embedded by nobody.
TEXT = "text"
# In place of a feature address: the first vector of each collection, and its words.
ANY_FEATURE, ANY_TEXT = "*", "*/text"
FOLLOWS = ("latest", "live")
Bound = Mapping[str, Sequence[str]] | None


@dataclass(frozen=True)
class Target:
    """One generation of a collection, and what made it."""

    collection_id: str
    collection_name: str
    generation: int
    plugin_namespace: str
    plugin_id: str
    code_hash: str
    parameters: dict[str, Any]
    features: list[dict[str, Any]]
    extractor: str
    # Addresses that generations searched before had; they mean the features of this one by name.
    former: list[str] = field(default_factory=list)

    @property
    def index(self) -> Index:
        return Index(self.collection_id, self.generation)

    @property
    def version(self) -> str:
        return self.plugin_id.removeprefix(f"{self.extractor}_").replace("_", ".")

    def addresses(self) -> list[str]:
        """Return what can be searched here."""
        return [*(each["feature_uri"] for each in self.features), str(FeatureUri(self.extractor, self.version, TEXT))]


@dataclass
class Space:
    """Targets whose vectors mean the same, so that one embedding of a query serves them all."""

    feature: dict[str, Any]
    targets: list[Target] = field(default_factory=list)
    # Whether it holds vectors of another version than the address says.
    is_other: bool = False

    @property
    def indexes(self) -> list[Index]:
        return [target.index for target in self.targets]


@dataclass
class Searched:
    """What one feature address leads to: spaces of vectors, or targets searched by words."""

    spaces: list[Space] = field(default_factory=list)
    text: list[Target] = field(default_factory=list)

    @property
    def targets(self) -> list[Target]:
        return self.text + [target for space in self.spaces for target in space.targets]


def find_searched(uri: str, targets: Sequence[Target], bound: Bound) -> Searched:
    """Return what a feature address leads to among targets.

    A collection that was built with another version since is still found by the address's extractor and feature, if it
    had the address itself before, or was `bound` to it when the retriever was made.

    Args: bound: ids of collections by address; without it any may stand in where none has the version.
    Raises: InvalidRequest: no target has the feature; with those there are.
    """
    if uri == ANY_FEATURE:
        chosen = [(target, target.features[0], False) for target in targets if target.features]
        if not chosen:
            raise InvalidRequest("None of these collections has a vector index", hint=_known(targets))
        return Searched(_spaces(chosen))
    if uri == ANY_TEXT and targets:
        return Searched(text=list(targets))
    wanted = _parsed(uri, targets)
    found = [(target, match) for target in targets if (match := _match(target, wanted)) is not None]
    exact = [(target, feature, False) for target, (feature, is_same) in found if is_same]
    others = [(target, feature, True) for target, (feature, is_same) in found if not is_same]
    if exact or bound is not None:
        kept = (bound or {}).get(uri, ())
        others = [other for other in others if other[0].collection_id in kept or _had(other[0], wanted)]
    if exact or others:
        return Searched(_spaces(exact + others))
    if wanted.feature == TEXT:
        text = [target for target in targets if target.extractor == wanted.extractor]
        if text:
            return Searched(text=text)
    raise InvalidRequest(f"No collection of this retriever has the feature {uri}", hint=_known(targets))


def find_spaces(uri: str, targets: Sequence[Target], bound: Bound) -> list[Space]:
    """Return the spaces of vectors that a feature address leads to, as `find_searched` does.

    Raises: InvalidRequest: no target has the feature, or it is searched by words.
    """
    searched = find_searched(uri, targets, bound)
    if searched.text:
        raise InvalidRequest(f"{uri} are words, which have no vectors to compare", hint="Name a vector feature")
    return searched.spaces


def targets_named(targets: Sequence[Target], identifiers: Sequence[str] | None) -> list[Target]:
    """Return the targets that a search or a stage is confined to, by id or name; all without identifiers.

    Raises: InvalidRequest: one that is not among the retriever's collections.
    """
    if not identifiers:
        return list(targets)
    known = {name: target for target in targets for name in (target.collection_name, target.collection_id)}
    unknown = [name for name in identifiers if name not in known]
    if unknown:
        raise InvalidRequest(
            f"The retriever does not search {unknown[0]!r}",
            hint="Name it in the retriever's `collection_identifiers`; it searches: "
            + (", ".join(target.collection_name for target in targets) or "none"),
        )
    return list({known[name].collection_id: known[name] for name in identifiers}.values())


def _parsed(uri: str, targets: Sequence[Target]) -> FeatureUri:
    try:
        parsed = FeatureUri.parse(uri)
        version = parsed.version if parsed.version in FOLLOWS else normalise_version(parsed.version)
    except ValueError as error:
        raise InvalidRequest(str(error), hint=_known(targets)) from error
    return FeatureUri(parsed.extractor, version, parsed.feature)


def _match(target: Target, wanted: FeatureUri) -> tuple[dict[str, Any], bool] | None:
    """Return the feature of a target that an address names, and whether it is of the version that the address says."""
    for feature in target.features:
        has = FeatureUri.parse(feature["feature_uri"])
        if has.extractor == wanted.extractor and wanted.feature in (None, has.feature):
            return feature, wanted.version in FOLLOWS or has.version == wanted.version
    return None


def _had(target: Target, wanted: FeatureUri) -> bool:
    """Tell whether an address is one that a target had before it was built with another version."""
    former = (FeatureUri.parse(address) for address in target.former)
    return any(
        (each.extractor, each.version) == (wanted.extractor, wanted.version) and wanted.feature in (None, each.feature)
        for each in former
    )


def _spaces(chosen: Sequence[tuple[Target, dict[str, Any], bool]]) -> list[Space]:
    if len(chosen) == 1:
        [(target, feature, is_other)] = chosen
        return [Space(feature, [target], is_other)]
    spaces: dict[tuple[str, str, str], Space] = {}
    for target, feature, is_other in chosen:
        key = (target.code_hash, feature["feature_uri"], json.dumps(target.parameters, sort_keys=True))
        space = spaces.setdefault(key, Space(feature, is_other=is_other))
        space.targets.append(target)
    return list(spaces.values())


def _known(targets: Sequence[Target]) -> str:
    known = sorted({address for target in targets for address in target.addresses()})
    return f"These collections have: {', '.join(known) or 'no vector index'}"
