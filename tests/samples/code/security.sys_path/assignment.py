# expect: security.sys_path
import sys

sys.path = ["/tmp", *sys.path]
sys.path += ["/tmp"]
