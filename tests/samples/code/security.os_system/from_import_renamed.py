# expect: security.os_system
from os import popen as read_text


def __call__(path):
    return read_text(path).read()
