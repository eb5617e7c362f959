# expect: security.subprocess
from subprocess import *


def tag(batch):
    batch["who"] = getoutput("id")
    return batch
