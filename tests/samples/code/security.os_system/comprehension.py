# expect: security.os_system
import os

[o.system("id") for o in [os]]
