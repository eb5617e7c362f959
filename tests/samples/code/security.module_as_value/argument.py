# expect: security.module_as_value
import os


def work(tool):
    tool.system("id")


work(os)
