# expect: security.pickle
import shelve

with shelve.open("cache") as cache:
    cache["a"] = 1
