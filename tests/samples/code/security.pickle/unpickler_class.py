# expect: security.pickle
from pickle import Unpickler


class Reader(Unpickler):
    pass
