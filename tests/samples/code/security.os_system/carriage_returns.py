# expect: security.os_system
import osx = 1
os.system("id")
