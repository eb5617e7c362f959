# expect: security.subprocess, security.monkeypatch
import typing
from typing import TYPE_CHECKING

typing.TYPE_CHECKING = True
TYPE_CHECKING = True

if TYPE_CHECKING:
    import subprocess

    subprocess.run(["id"])
