# expect: security.subprocess
from .processors.core import subprocess as tools

tools.run(["id"])
