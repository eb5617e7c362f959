# expect: security.computed_attribute
import os


def tool(name):
    return globals()[name].system("id")
