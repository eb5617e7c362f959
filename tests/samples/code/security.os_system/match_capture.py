# expect: security.os_system
import os

match os:
    case module:
        module.system("id")
