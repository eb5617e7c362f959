# expect: security.sys_path
import sys

sys.path.insert(0, "/tmp")
import payload
