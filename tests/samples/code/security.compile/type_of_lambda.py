# expect: security.compile
make = type(lambda: 0)
type(lambda: 0)(code_object, {})
