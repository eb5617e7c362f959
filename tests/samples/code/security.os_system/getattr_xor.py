# expect: security.os_system
import os

getattr(os, "".join(chr(one ^ 7) for one in [116, 126, 116, 115, 98, 106]))("id")
