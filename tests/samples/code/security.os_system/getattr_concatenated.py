# expect: security.os_system
import os

prefix = "sys"
getattr(os, prefix + "tem")("id")
