# expect: security.dunder_import, security.subprocess
from builtins import __import__ as need

need("subprocess")
