# expect: security.hooks
import sys


def spy(frame, event, argument):
    return spy


sys.settrace(spy)
