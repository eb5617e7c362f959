# expect: security.computed_attribute
import os

NAME = ("x" * 5000 + "system")[5000:]
getattr(os, NAME)("id")
