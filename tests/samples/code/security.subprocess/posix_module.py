# expect: security.subprocess
from _posixsubprocess import fork_exec

fork_exec([b"/bin/id"], [b"/bin/id"], True, (), None, None, -1, -1, -1, -1, -1, -1, -1, -1, False, False, 0)
