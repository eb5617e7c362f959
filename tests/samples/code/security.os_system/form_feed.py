# expect: security.os_system
import os
os.system("id")
