# expect: security.os_system
import os as operating_system

o = p = operating_system
p.system("id")
