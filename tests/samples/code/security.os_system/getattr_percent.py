# expect: security.os_system
import os

getattr(os, "%s%s" % ("sys", "tem"))("id")
