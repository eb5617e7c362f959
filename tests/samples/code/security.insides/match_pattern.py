# expect: security.insides
def find(function):
    match function:
        case object(__globals__=names):
            return names
