# expect: security.eval
@eval
@"".join
class Name:
    pass
