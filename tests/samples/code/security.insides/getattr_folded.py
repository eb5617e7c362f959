# expect: security.insides
def find(function):
    return getattr(function, "__" + "slabolg"[::-1] + "__")
