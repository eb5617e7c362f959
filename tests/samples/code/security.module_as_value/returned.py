# expect: security.module_as_value
def tool():
    import os

    return os


tool().system("id")
