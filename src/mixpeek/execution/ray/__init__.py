"""Hosts in actors of a Ray cluster: Ray finds a machine for each and says when it is lost; asked they are directly.

Every call to Ray is made here. Ray is an optional package: nothing else imports these modules before it is asked to.
"""

from __future__ import annotations

import os

# Ray reads these when it is imported, which the modules of this package do. It reports its use to nobody, and leaves
# signals alone: it would print a stack whenever a server is asked to stop.
for _name, _value in {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1"}.items():
    os.environ.setdefault(_name, _value)
