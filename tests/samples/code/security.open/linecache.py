# expect: security.open
import linecache

linecache.getlines("/etc/passwd")
