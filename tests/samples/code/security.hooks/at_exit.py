# expect: security.hooks
import atexit


@atexit.register
def leave():
    print("still here")
