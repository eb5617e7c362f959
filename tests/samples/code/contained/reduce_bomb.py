# expect: none (the sandbox contains it)
class Reply:
    """What a host returns is never unpickled."""

    def __reduce__(self):
        return (print, ("hello",))
