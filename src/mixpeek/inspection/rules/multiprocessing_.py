"""Against starting processes."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.multiprocessing",
    (
        *(
            "multiprocessing",
            "_multiprocessing",
            "concurrent.futures.ProcessPoolExecutor",
            "concurrent.futures.process",
        ),
        *("joblib.Parallel", "billiard.Process", "billiard.Pool", "billiard.pool.Pool", "billiard.context.Process"),
        *(f"{module}.{function}" for module in ("os", "posix") for function in ("fork", "forkpty", "register_at_fork")),
    ),
    summary="`multiprocessing`, process pools and `os.fork` start processes",
    reason="starts processes, and the sandbox refuses them",
    hint="Work on the rows of one batch in one process; the platform runs several hosts side by side",
    offending=(
        "import multiprocessing",
        "from multiprocessing import Pool",
        "from concurrent.futures import ProcessPoolExecutor",
        "import os\nos.fork()",
    ),
    harmless=(
        "from shared.plugins.sdk import parallel_io\nparallel_io(f, rows)",
        "torch.multiprocessing.set_sharing_strategy('x')",
        "processes = 'multiprocessing'",
    ),
)
