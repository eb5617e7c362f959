# expect: security.exec
@exec
@input
class Start:
    pass
