"""What the supervisor has to know of the settings.

Reading them takes pydantic, 15 MB that a process which lives as long as the server does without: who reads them hands
this on and makes room for a fresh process.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mixpeek.errors import PlatformError

VARIABLE = "MIXPEEK_PLAN"
# The status of a process that refuses a setting: EX_CONFIG of sysexits.h.
REFUSED = 78


@dataclass(frozen=True)
class Plan:
    """Which processes of a server to run, and where; taken from settings that were found good.

    Args:
        role: all, api or worker.
        database_url: None for the embedded one.
        buffers_mb: the embedded database's.
        cluster_file: where the server's own Ray cluster says how it is reached; None where it has none.
        bootstrap_api_key: becomes the organization's admin key on first start.
        makes_signing_key: none is set, so the data dir has one.
        is_egress_off: plugins that ask for a network are refused.
        warnings: what to tell the operator at the start.
    """

    role: str
    data_dir: str
    host: str
    port: int
    database_url: str | None
    buffers_mb: int
    cluster_file: str | None
    bootstrap_api_key: str | None
    makes_signing_key: bool
    is_egress_off: bool
    warnings: tuple[str, ...]

    def has(self, process: str) -> bool:
        """Tell whether the server runs this process, api or worker."""
        return self.role in ("all", process)

    @property
    def own_cluster(self) -> Path | None:
        return None if self.cluster_file is None else Path(self.cluster_file)

    def put(self, environ: MutableMapping[str, str]) -> None:
        """Put this into the environment of the process that is to follow it; it is kept from every other."""
        environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def take(cls) -> Plan:
        """Return what was put into our own environment, out of which it goes; raise PlatformError if nothing was."""
        text = os.environ.pop(VARIABLE, None)
        if text is None:
            raise PlatformError("There is no plan of a server to run", hint="Start one with `mixpeek serve`")
        values = json.loads(text)
        return cls(**{**values, "warnings": tuple(values["warnings"])})
