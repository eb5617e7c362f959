# expect: security.os_system
import os

getattr(os, "METSYS".swapcase()[::-1])("id")
