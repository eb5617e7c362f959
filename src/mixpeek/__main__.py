"""`mixpeek` and `python -m mixpeek`: the one way into the command line."""

from __future__ import annotations

import gc
import os
import sys

# Imports alone make some 100,000 objects that stay; Python's 700 would have them gone through again and again.
_COLLECT_AFTER = 150_000


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(_COLLECT_AFTER)
    # Else pydantic reads what every installed distribution says of itself, for plugins that are not wanted here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from mixpeek.cli.app import run

    code = run(sys.argv[1:])
    # What is left goes with the process: without this, a tenth of a short command's time is spent looking through it.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
