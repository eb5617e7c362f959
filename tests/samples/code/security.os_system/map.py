# expect: security.os_system
import os

list(map(os.popen, ["id"]))
