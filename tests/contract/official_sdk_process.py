"""Run by the official SDK's own Python: runs the files of calls it is told of, one after another.

Loading the SDK takes seconds of processor time, so its process is started once. Each line read is JSON, a file and its
arguments; each line written is JSON, what the file printed or how it failed.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
import traceback


def run(file: str, *arguments: str) -> dict[str, object]:
    """Run a file as a program and return what it printed."""
    sys.argv = [file, *arguments]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(file, run_name="__main__")
        return {"saw": json.loads(printed.getvalue())}
    except Exception:
        return {"failed": traceback.format_exc()}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(*json.loads(line))), flush=True)
