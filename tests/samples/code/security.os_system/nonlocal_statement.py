# expect: security.os_system
def outer():
    tool = None

    def set_up():
        nonlocal tool
        import os as tool

    set_up()
    tool.system("id")
