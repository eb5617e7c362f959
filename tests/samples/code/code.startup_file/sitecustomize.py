# expect: code.startup_file, security.os_system
import os

os.system("id")
