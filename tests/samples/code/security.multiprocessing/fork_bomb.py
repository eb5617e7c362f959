# expect: security.multiprocessing
import os

while True:
    os.fork()
