# expect: security.os_system
import os

globals()["os"].system("id")
locals()["os"].popen("id")
