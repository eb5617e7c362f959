# expect: security.os_system
import os

part = "tem"
getattr(os, f"sys{part}")("id")
