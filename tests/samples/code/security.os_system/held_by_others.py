# expect: security.os_system
import logging
import pathlib
import shutil

shutil.os.system("id")
pathlib.os.popen("id")
logging.os.execv("/bin/id", ["id"])
