# expect: security.insides
def harmless():
    return 1


def hostile():
    return 2


harmless.__code__ = hostile.__code__
