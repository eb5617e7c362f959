# expect: security.os_system
import os

if (o := os) and (run := o.system):
    run("id")
