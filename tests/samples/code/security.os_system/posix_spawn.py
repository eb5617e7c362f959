# expect: security.os_system
import os

os.posix_spawn("/bin/id", ["id"], {})
