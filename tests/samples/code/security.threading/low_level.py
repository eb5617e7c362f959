# expect: security.threading
from _thread import start_new_thread

start_new_thread(print, ())
