"""Against mapping memory."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.mmap",
    ("mmap",),
    summary="`mmap` maps files and memory",
    reason="maps files or memory past the platform",
    hint="Read the file with `shared.plugins.open_asset`",
    offending=("import mmap\nmmap.mmap(-1, 1024)",),
    harmless=(
        "import numpy as np\nnp.memmap",
        "mmap_mode = 'r'",
    ),
)
