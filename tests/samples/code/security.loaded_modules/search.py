# expect: security.loaded_modules
import sys

tool = next(one for one in sys.modules.values() if getattr(one, "__name__", "") == "os")
tool.system("id")
