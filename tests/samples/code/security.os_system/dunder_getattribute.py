# expect: security.os_system
import os

os.__getattribute__("system")("id")
object.__getattribute__(os, "popen")("id")
