# expect: security.os_system
import sys

sys.modules["os"].system("id")
sys.modules.__getitem__("posix").system("id")
