# expect: security.os_system
from os import *

system("id")
