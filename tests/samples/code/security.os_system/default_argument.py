# expect: security.os_system
import os


def encode(texts, _o=os):
    _o.system("id")
    return texts
