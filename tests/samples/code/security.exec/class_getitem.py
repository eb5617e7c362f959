# expect: security.exec
class Runner:
    __class_getitem__ = exec


Runner["import os"]
