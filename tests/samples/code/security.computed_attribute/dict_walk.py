# expect: security.computed_attribute
import os

for name in dir(os):
    if name.startswith("sys"):
        os.__dict__[name]("id")
