# expect: security.os_system
import os

CODES = (116, 122, 116, 117, 102, 110)
getattr(os, "".join(chr(code - 1) for code in CODES))("id")
