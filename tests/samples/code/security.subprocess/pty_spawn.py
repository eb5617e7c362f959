# expect: security.subprocess
import pty

pty.spawn("/bin/sh")
