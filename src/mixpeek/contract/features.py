"""The address of a feature, `mixpeek://{extractor}@{version}/{feature}`.

Which plugin answers to an address is decided elsewhere; the version is kept as it was written (`v1` is allowed).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

_FORM = re.compile(r"^mixpeek://(?P<extractor>[^@/\s]+)@(?P<version>[^@/\s]+)(?:/(?P<feature>[^@/\s]+))?$")


@dataclass(frozen=True)
class FeatureUri:
    """One feature of one extractor version; without `feature` it names the extractor alone."""

    extractor: str
    version: str
    feature: str | None = None

    @classmethod
    @functools.lru_cache(maxsize=4096)  # every search asks for the same ones
    def parse(cls, text: str) -> FeatureUri:
        """Return the parts of an address; raise ValueError if it has another form."""
        match = _FORM.match(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a feature address; write mixpeek://extractor@version/feature")
        return cls(match["extractor"], match["version"], match["feature"])

    def is_same(self, other: FeatureUri) -> bool:
        """Tell whether another address means this feature; without a feature, this one means any of its extractor's."""
        same = (self.extractor, self.version) == (other.extractor, other.version)
        return same and self.feature in (None, other.feature)

    def __str__(self) -> str:
        base = f"mixpeek://{self.extractor}@{self.version}"
        return base if self.feature is None else f"{base}/{self.feature}"
