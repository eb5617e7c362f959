#!/usr/bin/env python3
"""The maintained client of the plugins surface: `mixpeek plugin VERB`, under the path that the contract names.

    python server/scripts/api/plugins.py push PATH [-m MSG]
    python server/scripts/api/plugins.py pull NAME [-o DIR] [--version V]
    python server/scripts/api/plugins.py status NAME
    python server/scripts/api/plugins.py log NAME
    python server/scripts/api/plugins.py rollback NAME [VERSION] [-m MSG]
    python server/scripts/api/plugins.py diff NAME V1 V2
    python server/scripts/api/plugins.py lint PATH
    python server/scripts/api/plugins.py test PATH
    python server/scripts/api/plugins.py deploy PLUGIN_ID [--batch-only]

Reads MIXPEEK_API_KEY, MIXPEEK_NAMESPACE and MIXPEEK_API_URL; `lint` and `test` need none of them.
"""

from __future__ import annotations

import sys

from mixpeek.cli.app import run

if __name__ == "__main__":
    sys.exit(run(["plugin", *sys.argv[1:]]))
