# expect: none (the sandbox contains it)
def call(thing, name, *arguments):
    """Reaches whatever the caller hands in; nothing in this file says what that is."""
    return getattr(thing, name)(*arguments)
