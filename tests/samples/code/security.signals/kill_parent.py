# expect: security.signals
import os

os.kill(os.getppid(), 9)
