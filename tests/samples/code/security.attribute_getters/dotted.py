# expect: security.attribute_getters
from operator import attrgetter

names = attrgetter("__init__.__globals__")(print)
