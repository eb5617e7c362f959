"""Against threads that the platform does not know of."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.threading",
    (
        "threading.Thread",
        "threading.Timer",
        "threading._start_new_thread",
        "_thread.start_new_thread",
        "_thread.start_new",
        "_thread.start_joinable_thread",
        "concurrent.futures.ThreadPoolExecutor",
        "concurrent.futures.thread",
        "asyncio.to_thread",
        "asyncio.loop.run_in_executor",
        "sched",
    ),
    summary="Threads and thread pools compete with the platform's own",
    reason="starts threads beside the platform's own",
    hint="Use `parallel_io` or `concurrent_api_calls` of `shared.plugins.sdk`",
    offending=(
        "import threading\nthreading.Thread(target=work).start()",
        "from concurrent.futures import ThreadPoolExecutor",
        "import _thread\n_thread.start_new_thread(work, ())",
    ),
    harmless=(
        "import threading\nlock = threading.Lock()",
        "from shared.plugins.sdk import parallel_io\nparallel_io(f, rows)",
        "self.thread.start()",
    ),
)
