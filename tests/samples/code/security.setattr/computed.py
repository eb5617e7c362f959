# expect: security.setattr
def apply(model, options):
    for name, value in options.items():
        setattr(model, name, value)
