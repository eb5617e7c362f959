# expect: security.threading
import threading

threading.Timer(3600, print).start()
