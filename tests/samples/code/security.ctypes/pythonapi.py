# expect: security.ctypes
import ctypes as c

c.pythonapi.PyRun_SimpleString(b"print(1)")
