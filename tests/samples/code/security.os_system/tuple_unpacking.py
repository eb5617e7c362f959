# expect: security.os_system
import os

first, (second, third) = 1, (os, 2)
second.system("id")
