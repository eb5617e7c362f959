# expect: security.os_system
import os

if not os:
    os = None
os.system("id")
