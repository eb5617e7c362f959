# expect: security.os_system
def prepare():
    global tool
    import os as tool


def work():
    tool.system("id")
