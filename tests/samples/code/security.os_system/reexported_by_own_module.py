# expect: security.os_system
from . import core
from .processors.helpers import os

os.system("id")
core.os.popen("id")
