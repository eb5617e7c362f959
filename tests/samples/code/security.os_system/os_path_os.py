# expect: security.os_system
from os import path

path.os.system("id")
