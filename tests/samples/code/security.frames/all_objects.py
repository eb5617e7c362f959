# expect: security.frames
import gc

tokens = [one for one in gc.get_objects() if isinstance(one, str)]
