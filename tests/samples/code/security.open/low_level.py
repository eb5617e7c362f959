# expect: security.open
import io
import os

os.open("/etc/passwd", os.O_RDONLY)
io.FileIO("/etc/passwd")
