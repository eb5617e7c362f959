# expect: security.subprocess
import sys


def shell(command):
    return sys.modules.get("sub" "process").run(command, shell=True)
