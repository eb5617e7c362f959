"""How a manifest names the models its plugin loads: of a hub, or of its own namespace.

Finding and fetching them belongs to `model_store`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

NAMESPACE_SCHEME: Final = "namespace://"
DEFAULT_REVISION: Final = "main"
MODEL_NAME: Final = re.compile(r"^[a-zA-Z][a-zA-Z0-9_-]{2,63}$")

_HUB_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$", re.ASCII)
_REVISION = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$", re.ASCII)
_MODEL_ID = re.compile(r"^[a-zA-Z][a-zA-Z0-9_-]{2,63}_\d{1,6}_\d{1,6}_\d{1,6}$", re.ASCII)


@dataclass(frozen=True)
class ModelReference:
    """One model: `name` is a hub id such as `org/name`, or a namespace model's id such as `embedder_1_0_0`."""

    source: Literal["hub", "namespace"]
    name: str
    revision: str | None = None

    @property
    def key(self) -> str:
        """Return what a host looks the model up by; a revision is not part of it."""
        return f"{self.source}:{self.name}"

    def __str__(self) -> str:
        if self.source == "namespace":
            return f"{NAMESPACE_SCHEME}{self.name}"
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


def parse_reference(text: str) -> ModelReference:
    """Return what an entry of `models` names; raise ValueError, with the form to write, for anything else."""
    if text.startswith(NAMESPACE_SCHEME):
        model_id = text.removeprefix(NAMESPACE_SCHEME)
        if not _MODEL_ID.fullmatch(model_id):
            raise ValueError(f"{text!r} names no namespace model; write {NAMESPACE_SCHEME}name_1_0_0, its model id")
        return ModelReference("namespace", model_id)
    name, at, revision = text.partition("@")
    if not _HUB_ID.fullmatch(name):
        raise ValueError(
            f"{text!r} names no model; write org/name or org/name@revision, or {NAMESPACE_SCHEME}name_1_0_0"
        )
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise ValueError(f"{text!r} has no revision behind its @; write a branch, a tag or a commit")
    return ModelReference("hub", name, revision or None)


def parse_references(texts: Sequence[str]) -> list[ModelReference]:
    """Return all of them; raise ValueError where two name one model, which a host could not tell apart."""
    references = [parse_reference(text) for text in texts]
    keys = [reference.key for reference in references]
    twice = sorted({reference.name for reference in references if keys.count(reference.key) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is named twice; a plugin loads one revision of a model")
    return references
