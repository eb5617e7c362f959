# expect: security.attribute_getters
import _operator


def read(row, name):
    return _operator.attrgetter(name)(row)
