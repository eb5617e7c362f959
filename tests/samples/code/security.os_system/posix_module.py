# expect: security.os_system
import posix

posix.system("id")
