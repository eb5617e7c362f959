# expect: security.os_system
import os
import sys

sys.modules[__name__].__dict__["os"].system("id")
