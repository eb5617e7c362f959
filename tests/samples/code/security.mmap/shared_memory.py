# expect: security.mmap
import mmap

block = mmap.mmap(-1, 4096)
