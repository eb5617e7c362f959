# expect: security.subprocess
import base64
from importlib import import_module

tool = import_module(base64.b64decode("c3VicHJvY2Vzcw==").decode())
tool.run(["id"])
