# expect: security.exec
class Meta(type):
    __getattr__ = __sub__ = exec


class Row(metaclass=Meta):
    pass
