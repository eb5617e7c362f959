# expect: security.os_system
import json
import os

for module in (json, os):
    if hasattr(module, "system"):
        module.system("id")
