# expect: security.subprocess
from .flags import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

    subprocess.run(["id"])
