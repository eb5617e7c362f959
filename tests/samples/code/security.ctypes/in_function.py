# expect: security.ctypes
def peek(address):
    import _ctypes

    return _ctypes.PyObj_FromPtr(address)
