"""What an examination found; light to import, whatever made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mixpeek.inspection.findings import Finding, has_errors
from mixpeek.inspection.unpacked import ArchivedFile

if TYPE_CHECKING:
    from mixpeek.contract.manifest import Manifest
    from mixpeek.execution.port import Step


@dataclass(frozen=True)
class Examination:
    """What an examination found.

    ``manifest`` is None if it has errors or was not reached; ``realtime`` is the style of realtime.py's handler, or
    None; ``steps`` are those built with default parameters; ``package`` is the name hosts import the plugin under;
    ``took_s`` says how long manifest.py, `build_steps` and realtime.py took, imports included.
    """

    findings: tuple[Finding, ...]
    manifest: Manifest | None
    realtime: str | None
    steps: tuple[Step, ...]
    code_hash: str
    files: tuple[ArchivedFile, ...]
    package: str
    took_s: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def passed(self) -> bool:
        """Tell whether no finding is an error."""
        return not has_errors(self.findings)
