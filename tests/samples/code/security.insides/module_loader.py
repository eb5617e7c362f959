# expect: security.insides
__loader__.load_module("os")
__spec__.loader.load_module("os")
