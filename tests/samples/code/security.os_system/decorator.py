# expect: security.os_system
import os


@os.system
@str
def command():
    """id"""
