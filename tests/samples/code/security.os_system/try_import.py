# expect: security.os_system
try:
    import nothing_of_this_name as tool
except ImportError:
    import os as tool

tool.execvp("id", ["id"])
