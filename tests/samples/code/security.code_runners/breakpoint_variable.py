# expect: security.code_runners
import os

os.environ["PYTHONBREAKPOINT"] = "os.system"
breakpoint("id")
