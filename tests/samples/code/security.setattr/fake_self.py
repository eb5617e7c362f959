# expect: security.setattr, security.module_as_value
import os

self = os
for one in (os,):
    setattr(self, "getcwd", print)
work(os)
